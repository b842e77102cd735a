/* What the client session writes and reads beside replies: commands, dot-stuffing, the EHLO list. Internal to
 * smtp/, with a header of its own for its tests. */
#ifndef TSUBAME_SMTP_WIRE_H
#define TSUBAME_SMTP_WIRE_H

#include "smtp_client.h"

/* Reads the lines behind the first of an EHLO reply (RFC 5321 section 4.1.1.1). Unknown keywords are skipped.
 */
void smtp_caps_parse(struct smtp_caps *caps, struct slice text);

/* Why this mail, or this recipient, can't go to a server that offers this, as the reply that such a server
 * would give; NULL when it can. Refuses what would break out of a command too. */
const struct smtp_reply *smtp_mail_refusal(const struct smtp_caps *caps, const struct smtp_mail *mail);
const struct smtp_reply *smtp_rcpt_refusal(const struct smtp_caps *caps, struct slice to);

/* "MAIL FROM:<...> SIZE=... BODY=..." with the parameters that the server offers, for those recipients. */
void smtp_put_mail(struct buf *out, const struct smtp_caps *caps, const struct smtp_mail *mail,
                   uint64_t rcpts);

/* Equal for addresses of equal domains. */
uint64_t smtp_domain_hash(struct slice address);

/* What stands in out from `start` on is content: ends its last line where it is not, and puts "BDAT n LAST"
 * in front (RFC 3030). Sticky failure as in buf.h. */
void smtp_put_chunk(struct buf *out, size_t start);

/* What stands in out from `start` on is content: doubles dots at the start of lines (RFC 5321 section 4.5.2),
 * ends the last line where it is not, and adds the final dot. Sticky failure as in buf.h. */
void smtp_put_end(struct buf *out, size_t start);

#endif
