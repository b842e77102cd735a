/* Fuzz target: DKIM. Whatever the mail, it is refused or its signatures are good to the oracle (a plain
 * verifier written apart), with any part of its body hashed before. Any bytes are a body too. */
#include "dkim.h"
#include "dkim_oracle.h"
#include "dkim_relax.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dkim_key *keys[DKIM_ALGORITHMS];
static struct dkim_signer *signers[DKIM_ALGORITHMS];
static struct dkim_mail *mail;
static struct dkim_body *prefix;
static const struct slice selectors[DKIM_ALGORITHMS] = {{"r1", 2}, {"e1", 2}};

static void set_up(void) {
    if (mail) return;
    for (enum dkim_algorithm a = 0; a < DKIM_ALGORITHMS; a++) {
        struct buf pem;
        buf_init(&pem, 1 << 16);
        if (dkim_key_generate(a, 1024, &pem, NULL)) abort();
        keys[a] = dkim_key_read(buf_slice(&pem), NULL);
        signers[a] = keys[a] ? dkim_signer_open(keys[a], NULL) : NULL;
        if (!signers[a]) abort();
        buf_done(&pem);
    }
    mail = dkim_mail_open(NULL);
    prefix = dkim_body_open(NULL);
    if (!mail || !prefix) abort();
}

/* The canonical body does not depend on where it is cut. */
static void try_body(struct slice body, size_t cut) {
    struct buf want, got;
    struct dkim_relax r = {0};
    buf_init(&want, 1 << 24), buf_init(&got, 1 << 24);
    dkim_oracle_body(body, &want);
    dkim_relax_body(&r, slice_make(body.at, cut), &got);
    dkim_relax_body(&r, slice_skip(body, cut), &got);
    dkim_relax_end(&r, &got);
    assert(slice_eq(buf_slice(&want), buf_slice(&got)));
    buf_done(&want), buf_done(&got);
}

static size_t body_at(struct slice text) {
    for (size_t i = 0; i + 4 <= text.len; i++)
        if (memcmp(text.at + i, "\r\n\r\n", 4) == 0) return i + 4;
    return text.len;
}

static void try_mail(struct slice text, size_t cut) {
    struct buf out;
    struct err err;
    size_t start = body_at(text);
    cut = text.len > start ? cut % (text.len - start) : 0;
    dkim_body_start(prefix);
    dkim_body_put(prefix, slice_make(text.at + start, cut));
    if (dkim_mail_read(mail, text, prefix, cut, &err)) {
        assert(err.kind == ERR_INPUT);
        return;
    }
    buf_init(&out, 1 << 24);
    for (enum dkim_algorithm a = 0; a < DKIM_ALGORITHMS; a++) {
        size_t before = out.len;
        assert(dkim_sign(mail, signers[a], SLICE("example.com"), selectors[a], 1700000000, &out, &err) == 0);
        assert(out.len - before <= DKIM_FIELD_MAX);
    }
    buf_put_slice(&out, text);
    for (enum dkim_algorithm a = 0; a < DKIM_ALGORITHMS; a++)
        assert(!dkim_oracle_verify(buf_slice(&out), selectors[a], keys[a]));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf whole;
    struct slice in = slice_make(data, size);
    size_t cut = size ? data[0] : 0;
    set_up();
    if (size > 1 << 16) return 0;
    try_body(in, cut < size ? cut : size);
    try_mail(in, cut);
    buf_init(&whole, 1 << 20); /* and so that it has what a mail needs */
    buf_put_text(&whole, "From: a@example.com\r\n");
    buf_put_slice(&whole, in);
    if (body_at(buf_slice(&whole)) == whole.len) buf_put_text(&whole, "\r\n\r\n");
    try_mail(buf_slice(&whole), cut);
    buf_done(&whole);
    return 0;
}
