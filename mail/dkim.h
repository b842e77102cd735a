/* DKIM signatures (RFC 6376), relaxed/relaxed.
 *
 * A key is read once and shared by all threads. A signer belongs to one thread and one key: it keeps the
 * digest and key contexts, so that a signature costs the private-key operation and little else. */
#ifndef TSUBAME_DKIM_H
#define TSUBAME_DKIM_H

#include "buf.h"
#include "err.h"

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 /* RFC 8463; not signed with yet */ };

struct dkim_key;
struct dkim_signer;

/* A private key in PEM (PKCS#1 or PKCS#8, not encrypted). RSA only, 1024 to 4096 bits. NULL with err. The key
 * is immutable; it must outlive its signers. */
struct dkim_key *dkim_key_read(struct slice pem, struct err *err);
struct dkim_key *dkim_key_read_file(const char *path, struct err *err); /* a file of at most 64 KB */
void dkim_key_free(struct dkim_key *key);
unsigned dkim_key_bits(const struct dkim_key *key);
enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key);

/* The TXT record to publish at SELECTOR._domainkey.DOMAIN: "v=DKIM1; k=rsa; p=..." in one piece (a zone file
 * wants it in strings of at most 255 bytes). Appended to out. */
int dkim_key_record(const struct dkim_key *key, struct buf *out, struct err *err);

/* A new RSA key of so many bits as PEM (PKCS#8), appended to out. */
int dkim_key_generate(unsigned bits, struct buf *pem, struct err *err);

struct dkim_signer *dkim_signer_open(const struct dkim_key *key, struct err *err);
void dkim_signer_free(struct dkim_signer *s);

/* Signs a whole mail (header, empty line, body; CRLF lines, not dot-stuffed) and appends one folded
 * "DKIM-Signature: ... CRLF" to out, to be sent before the mail. Signed are From, Reply-To, To, Cc, Subject,
 * Date, Message-ID, MIME-Version, Content-Type, Content-Transfer-Encoding, Auto-Submitted, Feedback-ID and
 * List-*, where present; From, To, Subject, Date, Message-ID, Reply-To, MIME-Version and Content-Type are
 * named once more than they occur, so that nobody can add another. now_s: seconds since 1970 for t=. domain
 * is an A-label domain, selector one or more labels. 0, or -1 with err (no From, no end of header, OpenSSL
 * refused). out must not hold the mail. */
int dkim_sign(struct dkim_signer *s, struct slice domain, struct slice selector, struct slice mail,
              int64_t now_s, struct buf *out, struct err *err);

#endif
