/* DKIM: keys, what is refused, the form of the signature field, and that a signer can be used again. That the
 * signatures are right is shown by other verifiers: dkim_verify.py. */
#include "dkim.h"

#include "header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char mail[] = "Date: Sat, 21 Nov 2026 21:33:58 +0000\r\n"
                           "From: A <a@example.com>\r\nTo: b@example.net\r\nSubject: Hi\r\n\r\nBody\r\n";

static struct dkim_key *make_key(unsigned bits) {
    struct buf pem;
    struct err err;
    buf_init(&pem, 1 << 16);
    assert_int_equal(dkim_key_generate(bits, &pem, &err), 0);
    struct dkim_key *key = dkim_key_read(buf_slice(&pem), &err);
    assert_non_null(key);
    assert_int_equal(dkim_key_bits(key), bits);
    buf_done(&pem);
    return key;
}

static void test_keys(void **state) {
    (void)state;
    struct err err;
    struct buf out;
    static const char ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIDC56ArWc4dZkBDZHdOtIVz1zXHszb8ABBWpsG/9EVqR\n"
                                  "-----END PRIVATE KEY-----\n";
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
    assert_null(dkim_key_read(SLICE("not a key"), &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_null(dkim_key_read(SLICE(""), &err));
    assert_null(dkim_key_read(slice_of(ed25519), &err));
    assert_string_equal(err.text, "DKIM key: only RSA keys are signed with as yet");
    assert_null(dkim_key_read(slice_of(weak), &err));
    assert_string_equal(err.text, "DKIM key: 512 bits; 1024 to 4096 are accepted, 2048 is usual");
    assert_null(dkim_key_read_file("/nonexistent/key.pem", &err));
    buf_init(&out, 1 << 16);
    assert_int_equal(dkim_key_generate(512, &out, &err), -1);
    assert_int_equal(dkim_key_generate(8192, &out, &err), -1);
    struct dkim_key *key = make_key(1024);
    assert_int_equal(dkim_key_algorithm(key), DKIM_RSA_SHA256);
    assert_int_equal(dkim_key_record(key, &out, &err), 0);
    assert_true(slice_starts(buf_slice(&out), SLICE("v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBi")));
    buf_done(&out);
    dkim_key_free(key);
    dkim_key_free(NULL);
}

static void test_form(void **state) {
    (void)state;
    struct err err;
    struct buf first, second;
    struct dkim_key *key = make_key(2048);
    struct dkim_signer *s = dkim_signer_open(key, &err);
    assert_non_null(s);
    buf_init(&first, 1 << 16), buf_init(&second, 1 << 16);
    struct slice domain = SLICE("example.com"), selector = SLICE("s1");
    assert_int_equal(dkim_sign(s, domain, selector, slice_of(mail), 1700000000, &first, &err), 0);
    assert_int_equal(dkim_sign(s, domain, selector, SLICE("From: x@example.com\r\n\r\n"), 1, &second, &err),
                     0);
    buf_reset(&second);
    assert_int_equal(dkim_sign(s, domain, selector, slice_of(mail), 1700000000, &second, &err), 0);
    assert_true(slice_eq(buf_slice(&first), buf_slice(&second)));
    static const char start[] =
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;\r\n\ts=s1; t=1700000000;\r\n"
        "\th=From:From:Reply-To:To:To:Subject:Subject:Date:Date:Message-ID:";
    assert_true(slice_starts(buf_slice(&first), slice_of(start)));
    struct slice rest = buf_slice(&first);
    struct header_field f;
    assert_true(header_next(&rest, &f));
    assert_int_equal(rest.len, 0);
    size_t column = 0;
    for (size_t i = 0; i < first.len; i++) {
        column = first.at[i] == '\n' ? 0 : column + 1;
        assert_true(column <= 79); /* with its CR */
    }
    buf_done(&first), buf_done(&second);
    dkim_signer_free(s);
    dkim_signer_free(NULL);
    dkim_key_free(key);
}

static void test_refused(void **state) {
    (void)state;
    struct err err;
    struct buf out;
    struct dkim_key *key = make_key(1024);
    struct dkim_signer *s = dkim_signer_open(key, &err);
    struct slice d = SLICE("example.com"), sel = SLICE("s1");
    buf_init(&out, 1 << 16);
    assert_int_equal(dkim_sign(s, d, sel, SLICE("Subject: x\r\n\r\n"), 1, &out, &err), -1);
    assert_string_equal(err.text, "DKIM: the mail has no From");
    const struct slice endless[] = {SLICE("From: x"), SLICE("From: x\r\n"), SLICE("From: x\r\nbody\r\n\r\n"),
                                    SLICE("")};
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        assert_int_equal(dkim_sign(s, d, sel, endless[i], 1, &out, &err), -1);
        assert_string_equal(err.text, "DKIM: the mail's header has no end");
    }
    assert_int_equal(dkim_sign(s, SLICE("e.com;\r\nX: y"), sel, slice_of(mail), 1, &out, &err), -1);
    assert_int_equal(dkim_sign(s, d, SLICE(""), slice_of(mail), 1, &out, &err), -1);
    assert_int_equal(out.len, 0);
    struct buf many;
    buf_init(&many, 1 << 16);
    for (int i = 0; i < 200; i++)
        buf_put_text(&many, "From: x\r\n");
    buf_put_text(&many, "\r\n");
    assert_int_equal(dkim_sign(s, d, sel, buf_slice(&many), 1, &out, &err), -1);
    out.max = 100;
    assert_int_equal(dkim_sign(s, d, sel, slice_of(mail), 1, &out, &err), -1);
    buf_done(&many), buf_done(&out);
    dkim_signer_free(s);
    dkim_key_free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys), cmocka_unit_test(test_form),
                                       cmocka_unit_test(test_refused)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("dkim", tests, NULL, NULL);
}
