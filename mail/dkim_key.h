/* DKIM keys (RFC 6376 section 3.3, RFC 8463), the digest under them, and the private-key operation.
 *
 * A key is read once and shared by all threads. A signer is one key in the hands of one thread. */
#ifndef TSUBAME_DKIM_KEY_H
#define TSUBAME_DKIM_KEY_H

#include "buf.h"
#include "err.h"

/* In the order in which a mail carries them. */
enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_ALGORITHMS };
enum { DKIM_HASH = 32, DKIM_SIGNATURE_MAX = 512, DKIM_BITS_USUAL = 2048 };

/* "rsa-sha256" as in a=; "rsa" as in k=. */
const char *dkim_algorithm_name(enum dkim_algorithm algorithm);
const char *dkim_algorithm_kind(enum dkim_algorithm algorithm);

struct dkim_key;

/* A private key in PEM (PKCS#1 or PKCS#8, not encrypted): RSA of 1024 to 4096 bits, or Ed25519. NULL with
 * err. The key is immutable; it must outlive its signers. */
struct dkim_key *dkim_key_read(struct slice pem, struct err *err);
struct dkim_key *dkim_key_read_file(const char *path, struct err *err); /* a file of at most 64 KB */
/* The public half alone, as p= has it once decoded; it verifies and cannot sign. NULL with err. */
struct dkim_key *dkim_key_read_public(enum dkim_algorithm algorithm, struct slice bytes, struct err *err);
void dkim_key_free(struct dkim_key *key);

unsigned dkim_key_bits(const struct dkim_key *key); /* of an Ed25519 key: 256 */
enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key);

/* The TXT record to publish at SELECTOR._domainkey.DOMAIN: "v=DKIM1; k=rsa; p=..." in one piece. Appended to
 * out. */
int dkim_key_record(const struct dkim_key *key, struct buf *out, struct err *err);

/* A new private key as PEM (PKCS#8), appended to out. bits: of an RSA key, 1024 to 4096. */
int dkim_key_generate(enum dkim_algorithm algorithm, unsigned bits, struct buf *pem, struct err *err);

/* Is this the key's signature of the hash? */
bool dkim_key_verifies(const struct dkim_key *key, const unsigned char hash[DKIM_HASH],
                       struct slice signature);

struct dkim_signer;
struct dkim_signer *dkim_signer_open(const struct dkim_key *key, struct err *err);
void dkim_signer_free(struct dkim_signer *s);
enum dkim_algorithm dkim_signer_algorithm(const struct dkim_signer *s);

/* Signs the hash; writes *size bytes. 0, or -1 with err when OpenSSL refused. */
int dkim_signer_run(struct dkim_signer *s, const unsigned char hash[DKIM_HASH],
                    unsigned char signature[DKIM_SIGNATURE_MAX], size_t *size, struct err *err);

/* SHA-256 of bytes that come in pieces; what has come so far can be copied. Failure (of OpenSSL) is sticky
 * and told at the end: dkim_digest_end is false then. One thread's. */
struct dkim_digest;
struct dkim_digest *dkim_digest_open(struct err *err);
void dkim_digest_free(struct dkim_digest *d);
void dkim_digest_start(struct dkim_digest *d);
void dkim_digest_put(struct dkim_digest *d, struct slice bytes);
void dkim_digest_copy(struct dkim_digest *to, const struct dkim_digest *from);
bool dkim_digest_end(struct dkim_digest *d, unsigned char hash[DKIM_HASH]);

#endif
