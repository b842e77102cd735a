/* DKIM: keys, what is refused, the form of the signature field, canonicalisation and the published examples
 * (RFC 6376 section 3.4.5, RFC 8463 appendix A). That other people's verifiers find the signatures good is
 * shown by compose/test_mails.py and tests/test_dkim.py. */
#include "dkim.h"

#include "codec.h"
#include "dkim_oracle.h"
#include "dkim_relax.h"
#include "header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char mail[] = "Date: Sat, 21 Nov 2026 21:33:58 +0000\r\n"
                           "From: A <a@example.com>\r\nTo: b@example.net\r\nSubject: Hi\r\n\r\nBody\r\n";

/* RFC 8463 appendix A: the key of A.2, the message of A.3. */
static const char rfc_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
static const char rfc_record[] = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char rfc_rsa_public[] =
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/b"
    "yYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l"
    "/K4w3QIDAQAB";
#define RFC_BODY_HASH "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
static const char rfc_signatures[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                                     " d=football.example.com; i=@football.example.com;\r\n"
                                     " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                                     " subject : date : message-id : from : subject : date;\r\n"
                                     " bh=" RFC_BODY_HASH ";\r\n"
                                     " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                                     " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                                     "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                                     " d=football.example.com; i=@football.example.com;\r\n"
                                     " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                                     " date : message-id : from : subject : date;\r\n"
                                     " bh=" RFC_BODY_HASH ";\r\n"
                                     " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                                     " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                                     " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n";
static const char rfc_mail[] = "From: Joe SixPack <joe@football.example.com>\r\n"
                               "To: Suzie Q <suzie@shopping.example.net>\r\n"
                               "Subject: Is dinner ready?\r\n"
                               "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                               "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                               "\r\n"
                               "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

static struct dkim_key *make_key(enum dkim_algorithm algorithm, unsigned bits) {
    struct buf pem;
    struct err err;
    buf_init(&pem, 1 << 16);
    assert_int_equal(dkim_key_generate(algorithm, bits, &pem, &err), 0);
    struct dkim_key *key = dkim_key_read(buf_slice(&pem), &err);
    assert_non_null(key);
    assert_int_equal(dkim_key_algorithm(key), algorithm);
    assert_int_equal(dkim_key_bits(key), algorithm == DKIM_RSA_SHA256 ? bits : 256);
    buf_done(&pem);
    return key;
}

static void record_is(const struct dkim_key *key, const char *start) {
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 16);
    assert_int_equal(dkim_key_record(key, &out, &err), 0);
    if (!slice_starts(buf_slice(&out), slice_of(start))) fail_msg("%.*s", SLICE_ARG(buf_slice(&out)));
    buf_done(&out);
}

static void test_keys(void **state) {
    (void)state;
    struct err err;
    struct buf out;
    static const char weak[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIIBUwIBADANBgkqhkiG9w0BAQEFAASCAT0wggE5AgEAAkEAl0Ug2xHF4CtbCOWN\n"
                               "s51R8SIQnpahC8N5M5sau3S/Ed+hO+BwwQ3IXMHq4f1NLfKi1g6U69fSGDnWNsDH\n"
                               "TKco8wIDAQABAkAjwqbawx/ZN8akmsfd71IAxEHTi950jnhnl8JBEH9e9Pb0czNm\n"
                               "0lVxmlgT88nwSFS+Om2TBF2jBG8erELTs205AiEAyKLnAg+EvPQMfqJGP14g1MW7\n"
                               "JfVQ6+BQA2fb8azqwMUCIQDBAvQ/FrJ2/sNO1P3LEmN+NmjzT0J23A68ItPSzI9u\n"
                               "VwIgFH12hCJblwSBhilCbVRKnBA5ha3g/sXgxghEUREsxFUCIHg30tII3RfpDtVn\n"
                               "LLzzsyzFzxDdaVSHNFZSiwVdjGj5AiBMr/9HFdF5Ivc4FvWlP4zfXXFo2Y+oIZ3w\n"
                               "uV7VNP+6sA==\n"
                               "-----END PRIVATE KEY-----\n";
    static const char curve[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2KJ2gYkQ877uARS+\n"
                                "03yJXLpytGtHqUV3VPZDmQIsn1ihRANCAASNbt7lq0FxR3nrFSmLSFtDON06Xzx1\n"
                                "TTQmEl3X+4abJvw/hNIDBgTLYbQiPxGp6mcojPz7aAtQn556WQ3ggL7d\n"
                                "-----END PRIVATE KEY-----\n";
    assert_null(dkim_key_read(SLICE("not a key"), &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_null(dkim_key_read(SLICE(""), &err));
    assert_null(dkim_key_read(slice_of(curve), &err));
    assert_string_equal(err.text, "DKIM key: neither RSA nor Ed25519, and there are no others");
    assert_null(dkim_key_read(slice_of(weak), &err));
    assert_string_equal(err.text, "DKIM key: 512 bits; 1024 to 4096 are accepted, 2048 is usual");
    assert_null(dkim_key_read_file("/nonexistent/key.pem", &err));
    assert_null(dkim_key_read_file("/dev/zero", &err));
    assert_string_equal(err.text, "DKIM key /dev/zero: it is not a regular file");
    buf_init(&out, 1 << 16);
    assert_int_equal(dkim_key_generate(DKIM_RSA_SHA256, 512, &out, &err), -1);
    assert_int_equal(dkim_key_generate(DKIM_RSA_SHA256, 8192, &out, &err), -1);
    buf_done(&out);
    struct dkim_key *key = make_key(DKIM_RSA_SHA256, 1024);
    record_is(key, "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBi");
    dkim_key_free(key);
    dkim_key_free(make_key(DKIM_ED25519_SHA256, 0));
    dkim_key_free(NULL);
}

/* ---- canonicalisation ---- */

static void relaxed(const char *body, const char *wanted) {
    struct buf out;
    struct dkim_relax r = {0};
    buf_init(&out, 1 << 16);
    dkim_relax_body(&r, slice_of(body), &out);
    dkim_relax_end(&r, &out);
    if (!slice_eq(buf_slice(&out), slice_of(wanted)))
        fail_msg("'%s': got '%.*s'", body, SLICE_ARG(buf_slice(&out)));
    buf_reset(&out);
    dkim_oracle_body(slice_of(body), &out);
    if (!slice_eq(buf_slice(&out), slice_of(wanted))) fail_msg("the oracle on '%s'", body);
    buf_done(&out);
}

static void test_bodies(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"}, /* RFC 6376 section 3.4.5 */
        {"", ""},
        {"\r\n", ""},
        {"\r\n\r\n\r\n", ""},
        {" \t\r\n  ", ""},
        {"a", "a\r\n"},
        {"a ", "a\r\n"},
        {"a\r\n \t", "a\r\n"},
        {"\r\n\r\na\r\n", "\r\n\r\na\r\n"},
        {"a\r\n \r\nb", "a\r\n\r\nb\r\n"},
        {"\ta\t\tb \r\n", " a b\r\n"},
        {"a\rb\nc\r\n", "a\rb\nc\r\n"},
        {"a \r", "a \r\r\n"},
        {"a\r\r\n\r\n", "a\r\r\n"},
        {"a\n\n", "a\n\n\r\n"},
        {"sixteen bytes or more of text  with two blanks ",
         "sixteen bytes or more of text with two blanks\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        relaxed(cases[i][0], cases[i][1]);
}

static void test_fields(void **state) {
    (void)state;
    static const struct {
        struct slice name, value;
        const char *wanted;
    } cases[] = {
        {{"A", 1}, {" X", 2}, "a:X"}, /* RFC 6376 section 3.4.5 */
        {{"B", 1}, {" Y\t\r\n\tZ  ", 9}, "b:Y Z"},
        {{"SUBJect", 7}, {"", 0}, "subject:"},
        {{"x", 1}, {" \r\n ", 4}, "x:"},
        {{"x", 1}, {"a  b\r\n c", 8}, "x:a b c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 256);
        dkim_relax_field(cases[i].name, cases[i].value, &out);
        if (!slice_eq(buf_slice(&out), slice_of(cases[i].wanted)))
            fail_msg("%s: got '%.*s'", cases[i].wanted, SLICE_ARG(buf_slice(&out)));
        buf_done(&out);
    }
}

/* Bodies of what matters to canonicalisation, cut anywhere: whole, in two pieces, byte by byte, in random
 * pieces, and begun from a prefix, they hash to the same; and to what the oracle's canonical form hashes to.
 */
static void hash_pieces(struct slice body, size_t step, unsigned char hash[DKIM_HASH]) {
    struct err err;
    struct dkim_body *b = dkim_body_open(&err);
    assert_non_null(b);
    while (body.len) {
        size_t n = step ? step : 1 + (size_t)rand() % 7;
        if (n > body.len) n = body.len;
        dkim_body_put(b, slice_make(body.at, n));
        body = slice_skip(body, n);
    }
    assert_int_equal(dkim_body_finish(b, hash, &err), 0);
    assert_int_equal(dkim_body_finish(b, hash, &err), -1); /* it is spent */
    dkim_body_free(b);
}

static void hash_oracle(struct slice body, unsigned char hash[DKIM_HASH]) {
    struct buf out;
    struct dkim_digest *d = dkim_digest_open(NULL);
    buf_init(&out, 1 << 20);
    dkim_oracle_body(body, &out);
    dkim_digest_put(d, buf_slice(&out));
    assert_true(dkim_digest_end(d, hash));
    dkim_digest_free(d);
    buf_done(&out);
}

static void test_splits(void **state) {
    (void)state;
    static const char *const bits[] = {"a",    "bc",       " ",  "  ", "\t",
                                       "\r\n", "\r\n\r\n", "\r", "\n", "long enough for a vector"};
    struct err err;
    struct dkim_body *prefix = dkim_body_open(&err), *rest = dkim_body_open(&err);
    srand(7);
    for (int round = 0; round < 300; round++) {
        char body[400];
        size_t n = 0;
        for (int k = rand() % 14; k; k--) {
            struct slice bit = slice_of(bits[(size_t)rand() % (sizeof bits / sizeof *bits)]);
            memcpy(body + n, bit.at, bit.len);
            n += bit.len;
        }
        struct slice whole = slice_make(body, n);
        unsigned char want[DKIM_HASH], got[DKIM_HASH];
        hash_oracle(whole, want);
        for (size_t step = 0; step < 4; step++) {
            hash_pieces(whole, step == 3 ? n + 1 : step, got);
            assert_memory_equal(got, want, DKIM_HASH);
        }
        for (size_t cut = 0; cut <= n; cut++) {
            dkim_body_start(prefix);
            dkim_body_put(prefix, slice_make(body, cut));
            dkim_body_copy(rest, prefix);
            dkim_body_put(rest, slice_skip(whole, cut));
            assert_int_equal(dkim_body_finish(rest, got, &err), 0);
            assert_memory_equal(got, want, DKIM_HASH);
        }
    }
    dkim_body_free(prefix), dkim_body_free(rest);
    dkim_body_free(NULL);
}

/* A body longer than a piece, whose line ends are withheld over several of them. */
static void test_long(void **state) {
    (void)state;
    enum { SIZE = 200000 };
    char *body = malloc(SIZE);
    unsigned char want[DKIM_HASH], got[DKIM_HASH];
    assert_non_null(body);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = i < 50000 ? 'x' : i % 2 ? '\n' : '\r';
    for (int end = 0; end < 2; end++) {
        if (end) memcpy(body + SIZE - 3, " \ty", 3);
        hash_oracle(slice_make(body, SIZE), want);
        hash_pieces(slice_make(body, SIZE), SIZE, got);
        assert_memory_equal(got, want, DKIM_HASH);
        hash_pieces(slice_make(body, SIZE), 4097, got);
        assert_memory_equal(got, want, DKIM_HASH);
    }
    free(body);
}

/* ---- the examples of RFC 8463 ---- */

static void test_rfc_verified(void **state) {
    (void)state;
    struct err err;
    struct buf text, der;
    buf_init(&text, 1 << 16), buf_init(&der, 1 << 16);
    buf_put_text(&text, rfc_signatures);
    buf_put_text(&text, rfc_mail);
    struct dkim_key *ed25519 = dkim_key_read(slice_of(rfc_key), &err);
    assert_non_null(ed25519);
    record_is(ed25519, rfc_record);
    assert_true(codec_unbase64(&der, slice_of(rfc_rsa_public)));
    struct dkim_key *rsa = dkim_key_read_public(DKIM_RSA_SHA256, buf_slice(&der), &err);
    assert_non_null(rsa);
    assert_null(dkim_key_read_public(DKIM_ED25519_SHA256, buf_slice(&der), &err));
    assert_null(dkim_oracle_verify(buf_slice(&text), SLICE("brisbane"), ed25519));
    assert_null(dkim_oracle_verify(buf_slice(&text), SLICE("test"), rsa));
    assert_string_equal(dkim_oracle_verify(buf_slice(&text), SLICE("test"), ed25519),
                        "a= is of another algorithm");
    text.at[text.len - 5] ^= 1;
    assert_string_equal(dkim_oracle_verify(buf_slice(&text), SLICE("test"), rsa),
                        "bh= is not the body's hash");
    dkim_key_free(ed25519), dkim_key_free(rsa);
    buf_done(&text), buf_done(&der);
}

/* Ed25519 has one signature for a hash: from the same bytes comes the RFC's. */
static void test_rfc_signed(void **state) {
    (void)state;
    static const char *const order[] = {"From", "To", "Subject", "Date", "Message-ID"};
    struct err err;
    struct buf canonical, b;
    struct slice rest;
    struct header_field f;
    unsigned char hash[DKIM_HASH], signature[DKIM_SIGNATURE_MAX];
    size_t size;
    buf_init(&canonical, 1 << 16), buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        for (rest = slice_of(rfc_mail); header_next(&rest, &f);) {
            if (!slice_eq(f.name, slice_of(order[i]))) continue;
            dkim_relax_field(f.name, f.value, &canonical);
            buf_put_text(&canonical, "\r\n");
        }
    rest = slice_of(rfc_signatures);
    assert_true(header_next(&rest, &f));
    f.value.len = (size_t)slice_find_nocase(f.value, SLICE(" b=")) + 3;
    dkim_relax_field(f.name, f.value, &canonical);
    struct dkim_digest *d = dkim_digest_open(&err);
    dkim_digest_put(d, buf_slice(&canonical));
    assert_true(dkim_digest_end(d, hash));
    struct dkim_key *key = dkim_key_read(slice_of(rfc_key), &err);
    struct dkim_signer *s = dkim_signer_open(key, &err);
    for (int again = 0; again < 3; again++) {
        assert_int_equal(dkim_signer_run(s, hash, signature, &size, &err), 0);
        buf_reset(&b);
        codec_base64(&b, slice_make(signature, size), 0);
        assert_true(
            slice_eq(buf_slice(&b), SLICE("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY"
                                          "5OsU7ZbnKELq+eXdp1Q1Dw==")));
    }
    dkim_signer_free(s);
    dkim_key_free(key);
    dkim_digest_free(d);
    buf_done(&canonical), buf_done(&b);
}

/* ---- signing ---- */

static const struct slice domain = {"example.com", 11}, selector = {"s1", 2};

static int sign(struct dkim_mail *m, struct dkim_signer *s, struct slice text, struct buf *out,
                struct err *err) {
    if (dkim_mail_read(m, text, NULL, 0, err)) return -1;
    return dkim_sign(m, s, domain, selector, 1700000000, out, err);
}

static void check_form(struct slice field, const char *start) {
    struct header_field f;
    struct slice rest = field;
    if (!slice_starts(field, slice_of(start))) fail_msg("%.*s", SLICE_ARG(field));
    assert_true(header_next(&rest, &f));
    assert_int_equal(rest.len, 0);
    size_t column = 0;
    for (size_t i = 0; i < field.len; i++) {
        column = field.at[i] == '\n' ? 0 : column + 1;
        assert_true(column <= 79); /* with its CR */
    }
}

#define NAMES                                                                                                \
    "\th=From:From:Reply-To:To:To:Cc:Subject:Subject:Date:Date:Message-ID:\r\n"                              \
    "\tMIME-Version:Content-Type;\r\n\tbh="

static void test_form(void **state) {
    (void)state;
    static const char *const starts[] = {"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; "
                                         "d=example.com;\r\n\ts=s1; t=1700000000;\r\n" NAMES,
                                         "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; "
                                         "d=example.com;\r\n\ts=s1; t=1700000000;\r\n" NAMES};
    struct err err;
    struct dkim_mail *m = dkim_mail_open(&err);
    assert_non_null(m);
    for (enum dkim_algorithm a = 0; a < DKIM_ALGORITHMS; a++) {
        struct buf first, second;
        buf_init(&first, 1 << 16), buf_init(&second, 1 << 16);
        struct dkim_key *key = make_key(a, 2048);
        struct dkim_signer *s = dkim_signer_open(key, &err);
        assert_non_null(s);
        assert_int_equal(sign(m, s, slice_of(mail), &first, &err), 0);
        assert_int_equal(sign(m, s, SLICE("From: x@example.com\r\n\r\n"), &second, &err), 0);
        buf_reset(&second);
        assert_int_equal(sign(m, s, slice_of(mail), &second, &err), 0);
        assert_true(slice_eq(buf_slice(&first), buf_slice(&second)));
        check_form(buf_slice(&first), starts[a]);
        buf_put_text(&first, mail);
        assert_null(dkim_oracle_verify(buf_slice(&first), selector, key));
        buf_done(&first), buf_done(&second);
        dkim_signer_free(s);
        dkim_key_free(key);
    }
    dkim_mail_free(m);
    dkim_mail_free(NULL);
    dkim_signer_free(NULL);
}

/* Two signatures over one reading, each good beside the other; what was signed can't be changed or added. */
static void test_two(void **state) {
    (void)state;
    static const char full[] =
        "From: a@example.com\r\nTo: b@example.net\r\nSubject: Hi\r\n"
        "List-Unsubscribe: <https://example.com/u>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "List-Id: <n.example.com>\r\nFeedback-ID: 1:2:3\r\nX-Free: yes\r\n\r\nBody\r\n";
    static const struct {
        const char *old, *new;
        bool good;
    } changes[] = {
        {"To: b", "TO:   b", true},
        {"Subject: Hi", "Subject: Ho", false},
        {"X-Free: yes", "X-Free: no", true},
        {"<n.example.com>", "<m.example.com>", false},
        {"Feedback-ID: 1", "Feedback-ID: 2", false},
        {"One-Click", "Two-Click", false},
        {"com/u", "com/v", false},
        {"X-Free: yes", "List-Unsubscribe: <https://evil.example/>", false},
        {"X-Free: yes", "List-Unsubscribe-Post: x", false},
        {"X-Free: yes", "From: c@example.org", false},
        {"X-Free: yes", "Cc: c@example.org", false},
        {"X-Free: yes", "Reply-To: c@example.org", false},
        {"X-Free: yes", "Content-Type: text/html", false},
        {"X-Free: yes", "List-Help: <mailto:h@example.org>", true},
        {"Body", "Bodi", false},
    };
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 16);
    struct dkim_mail *m = dkim_mail_open(&err);
    struct dkim_key *keys[] = {make_key(DKIM_RSA_SHA256, 1024), make_key(DKIM_ED25519_SHA256, 0)};
    const struct slice selectors[] = {SLICE("r1"), SLICE("e1")};
    assert_int_equal(dkim_mail_read(m, slice_of(full), NULL, 0, &err), 0);
    for (int i = 0; i < 2; i++) {
        struct dkim_signer *s = dkim_signer_open(keys[i], &err);
        assert_int_equal(dkim_sign(m, s, domain, selectors[i], 1, &out, &err), 0);
        dkim_signer_free(s);
    }
    size_t fields = out.len;
    buf_put_text(&out, full);
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        struct buf text;
        buf_init(&text, 1 << 16);
        struct slice after = slice_skip(buf_slice(&out), fields);
        ptrdiff_t at = slice_find_nocase(after, slice_of(changes[c].old));
        assert_true(at >= 0);
        buf_put(&text, out.at, fields + (size_t)at);
        buf_put_text(&text, changes[c].new);
        buf_put_slice(&text, slice_skip(after, (size_t)at + strlen(changes[c].old)));
        for (int i = 0; i < 2; i++) {
            assert_null(dkim_oracle_verify(buf_slice(&out), selectors[i], keys[i]));
            if (changes[c].good != !dkim_oracle_verify(buf_slice(&text), selectors[i], keys[i]))
                fail_msg("%s -> %s", changes[c].old, changes[c].new);
        }
        buf_done(&text);
    }
    dkim_mail_free(m);
    dkim_key_free(keys[0]), dkim_key_free(keys[1]);
    buf_done(&out);
}

/* A prefix of any length gives the signature that the whole mail gives. */
static void test_prefix(void **state) {
    (void)state;
    static const char text[] = "From: a@example.com\r\n\r\n Hello  all \r\n\r\n\r\nand you\t\r\n\r\n";
    struct err err;
    struct buf want, got;
    buf_init(&want, 1 << 16), buf_init(&got, 1 << 16);
    struct dkim_mail *m = dkim_mail_open(&err);
    struct dkim_body *prefix = dkim_body_open(&err);
    struct dkim_key *key = make_key(DKIM_ED25519_SHA256, 0);
    struct dkim_signer *s = dkim_signer_open(key, &err);
    assert_int_equal(sign(m, s, slice_of(text), &want, &err), 0);
    struct slice body = slice_skip(slice_of(text), 23);
    for (size_t n = 0; n <= body.len; n++) {
        dkim_body_start(prefix);
        dkim_body_put(prefix, slice_make(body.at, n));
        for (int again = 0; again < 2; again++) {
            buf_reset(&got);
            assert_int_equal(dkim_mail_read(m, slice_of(text), prefix, n, &err), 0);
            assert_int_equal(dkim_sign(m, s, domain, selector, 1700000000, &got, &err), 0);
            assert_true(slice_eq(buf_slice(&want), buf_slice(&got)));
        }
    }
    assert_int_equal(dkim_mail_read(m, slice_of(text), prefix, body.len + 1, &err), -1);
    assert_string_equal(err.text, "DKIM: the body is shorter than what it is said to begin with");
    assert_int_equal(dkim_sign(m, s, domain, selector, 1, &got, &err), -1);
    dkim_signer_free(s);
    dkim_key_free(key);
    dkim_body_free(prefix);
    dkim_mail_free(m);
    buf_done(&want), buf_done(&got);
}

static void test_refused(void **state) {
    (void)state;
    struct err err;
    struct buf out;
    struct dkim_mail *m = dkim_mail_open(&err);
    struct dkim_key *key = make_key(DKIM_RSA_SHA256, 1024);
    struct dkim_signer *s = dkim_signer_open(key, &err);
    buf_init(&out, 1 << 16);
    assert_int_equal(dkim_sign(m, s, domain, selector, 1, &out, &err), -1); /* nothing was read */
    assert_int_equal(sign(m, s, SLICE("Subject: x\r\n\r\n"), &out, &err), -1);
    assert_string_equal(err.text, "DKIM: the mail has no From");
    const struct slice endless[] = {SLICE("From: x"), SLICE("From: x\r\n"), SLICE("From: x\r\nbody\r\n\r\n"),
                                    SLICE("")};
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        assert_int_equal(sign(m, s, endless[i], &out, &err), -1);
        assert_string_equal(err.text, "DKIM: the mail's header has no end");
    }
    assert_int_equal(dkim_mail_read(m, slice_of(mail), NULL, 0, &err), 0);
    assert_int_equal(dkim_sign(m, s, SLICE("e.com;\r\nX: y"), selector, 1, &out, &err), -1);
    assert_int_equal(dkim_sign(m, s, domain, SLICE(""), 1, &out, &err), -1);
    assert_int_equal(out.len, 0);
    struct buf many;
    buf_init(&many, 1 << 16);
    for (int i = 0; i < 200; i++)
        buf_put_text(&many, "From: x\r\n");
    buf_put_text(&many, "\r\n");
    assert_int_equal(sign(m, s, buf_slice(&many), &out, &err), -1);
    buf_put_text(&out, "before");
    out.max = 100;
    assert_int_equal(sign(m, s, slice_of(mail), &out, &err), -1);
    assert_true(slice_eq(buf_slice(&out), SLICE("before")));
    buf_done(&many), buf_done(&out);
    dkim_mail_free(m);
    dkim_signer_free(s);
    dkim_key_free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_bodies), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_splits),     cmocka_unit_test(test_long),   cmocka_unit_test(test_rfc_verified),
        cmocka_unit_test(test_rfc_signed), cmocka_unit_test(test_form),   cmocka_unit_test(test_two),
        cmocka_unit_test(test_prefix),     cmocka_unit_test(test_refused)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("dkim", tests, NULL, NULL);
}
