/* DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed.
 *
 *     dkim_mail_read    once for a mail: its fields, the header's and the body's hash
 *     dkim_sign         once for each signature
 *
 * so that a second signature costs its private-key operation and little else. A mail's workplace (struct
 * dkim_mail), a body and a signer each belong to one thread and are used again and again. */
#ifndef TSUBAME_DKIM_H
#define TSUBAME_DKIM_H

#include "dkim_key.h"

/* The hash of a body that comes in pieces; where they are cut makes no difference. A body that opens with the
 * same bytes in many mails is begun once and copied for each (dkim_mail_read's prefix). Failure is sticky and
 * told by dkim_body_finish. */
struct dkim_body;
struct dkim_body *dkim_body_open(struct err *err); /* started */
void dkim_body_free(struct dkim_body *b);
void dkim_body_start(struct dkim_body *b);
void dkim_body_put(struct dkim_body *b, struct slice bytes); /* CRLF lines, not dot-stuffed */
void dkim_body_copy(struct dkim_body *to, const struct dkim_body *from);
/* 0 and the hash (bh=, before base64), or -1 with err. To be started again. */
int dkim_body_finish(struct dkim_body *b, unsigned char hash[DKIM_HASH], struct err *err);

struct dkim_mail;
struct dkim_mail *dkim_mail_open(struct err *err);
void dkim_mail_free(struct dkim_mail *m);

/* Reads a whole mail (header, empty line, body; CRLF lines, not dot-stuffed), of which nothing is kept.
 *
 * prefix: a body that was fed with exactly the first prefix_len bytes of this mail's body, which the caller
 * answers for; it is not changed. NULL and 0: none.
 *
 * Signed are From, Sender, Reply-To, To, Cc, Subject, Date, Message-ID, In-Reply-To, References,
 * MIME-Version, Content-Type, Content-Transfer-Encoding, Auto-Submitted, Feedback-ID and List-*, where
 * present. From, Reply-To, To, Cc, Subject, Date, Message-ID, MIME-Version and Content-Type are named once
 * more than they occur, and List-Unsubscribe and List-Unsubscribe-Post where they do occur, so that nobody
 * can add another (RFC 6376 sections 5.4 and 8.15, RFC 8058 section 4).
 *
 * 0, or -1 with err: no From, no end of header, more than 127 fields, or a body shorter than prefix_len. */
int dkim_mail_read(struct dkim_mail *m, struct slice mail, const struct dkim_body *prefix, size_t prefix_len,
                   struct err *err);

/* The most that dkim_sign appends. */
enum { DKIM_FIELD_MAX = 8192 };

/* Appends one folded "DKIM-Signature: ... CRLF" over what was read last, to be sent before the mail. The
 * order of several is free: none covers another. now_s: seconds since 1970 for t=. domain is an A-label
 * domain, selector one or more labels. 0, or -1 with err and out as it was. */
int dkim_sign(struct dkim_mail *m, struct dkim_signer *s, struct slice domain, struct slice selector,
              int64_t now_s, struct buf *out, struct err *err);

#endif
