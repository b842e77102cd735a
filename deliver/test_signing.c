/* The keys in force: read, chosen by From and time, replaced while signing goes on. */
#include "signing.h"

#include "dkim_oracle.h"
#include "header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define AT(seconds) ((seconds)*US_PER_SEC)

static const char mail[] = "From: a@news.example.com\r\nSubject: Hi\r\n\r\nBody\r\n";

enum { OLD, NEW, ED, FOREIGN, KEYS };
static char dir[] = "/tmp/tsubame-signing-XXXXXX";
static char paths[KEYS][64];

static int make_keys(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    for (int i = 0; i < KEYS; i++) {
        struct buf pem;
        struct err err;
        buf_init(&pem, 1 << 16);
        snprintf(paths[i], sizeof paths[i], "%s/%d.pem", dir, i);
        FILE *f = fopen(paths[i], "w");
        if (!f || dkim_key_generate(i == ED ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256, 1024, &pem, &err))
            return -1;
        fwrite(pem.at, 1, pem.len, f);
        fclose(f);
        buf_done(&pem);
    }
    return 0;
}

static int drop_keys(void **state) {
    (void)state;
    for (int i = 0; i < KEYS; i++)
        unlink(paths[i]);
    return rmdir(dir);
}

static const struct dkim_options options[KEYS] = {
    [OLD] = {"example.com", "old", paths[OLD], 0, AT(200), false},
    [NEW] = {"example.com", "new", paths[NEW], AT(100), 0, false},
    [ED] = {"example.com", "ed", paths[ED], AT(150), 0, false},
    [FOREIGN] = {"esp.example", "esp", paths[FOREIGN], 0, AT(1000), true},
};

/* The selectors of the signatures on a mail from the domain, each verified: "new ed". */
static const char *selectors(struct signing *s, const char *domain, wall_us now, char text[64]) {
    struct err err;
    struct buf out;
    size_t n = 0;
    buf_init(&out, 1 << 16);
    text[0] = 0;
    assert_int_equal(signing_put(s, slice_of(domain), slice_of(mail), NULL, 0, now, &out, &err), 0);
    buf_put_text(&out, mail);
    struct slice rest = buf_slice(&out);
    for (struct header_field f; header_next(&rest, &f) && slice_eq(f.name, SLICE("DKIM-Signature"));) {
        struct slice at = slice_skip(f.value, (size_t)slice_find_nocase(f.value, SLICE("\ts=")) + 3);
        at.len = (size_t)slice_find(at, ';');
        int key = 0;
        while (key < KEYS && !slice_eq(at, slice_of(options[key].selector)))
            key++;
        assert_true(key < KEYS);
        struct dkim_key *read = dkim_key_read_file(paths[key], &err);
        assert_null(dkim_oracle_verify(buf_slice(&out), at, read));
        dkim_key_free(read);
        n += (size_t)snprintf(text + n, 64 - n, "%s%.*s", n ? " " : "", SLICE_ARG(at));
    }
    buf_done(&out);
    return text;
}

static void rotates(void **state) {
    (void)state;
    struct err err;
    struct keyring_hook hook;
    struct signing s;
    char text[64];
    struct keyring *ring = keyring_read(options, KEYS, &err);
    assert_non_null(ring);
    keyring_hook_init(&hook, ring);
    assert_int_equal(signing_init(&s, &hook, &err), 0);
    static const struct {
        wall_us now;
        const char *domain, *want;
    } steps[] = {
        {AT(1), "news.example.com", "old"},
        {AT(100) - 1, "news.example.com", "old"},
        {AT(100), "news.example.com", "new"},
        {AT(150), "news.example.com", "new ed"},
        {AT(100) - 1, "news.example.com", "old"}, /* the clock was set back */
        {AT(500), "news.example.com", "new ed"},
        {AT(500), "elsewhere.example", "esp"},
        {AT(500), "a.example", "esp"},
        {AT(500), "b.example", "esp"},
        {AT(500), "c.example", "esp"},
        {AT(500), "d.example", "esp"},
        {AT(500), "example.com", "new ed"},
        {AT(1000), "elsewhere.example", ""},
        {AT(1000), "example.com", "new ed"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        assert_string_equal(selectors(&s, steps[i].domain, steps[i].now, text), steps[i].want);
    assert_true(signing_room(&s) >= 1024);

    /* Other keys in their place; none at all; and a ring that can't be read changes nothing. */
    ring = keyring_read(&options[ED], 2, &err);
    keyring_hang(&hook, ring);
    assert_string_equal(selectors(&s, "example.com", AT(500), text), "ed");
    struct dkim_options gone = {"example.com", "x", "/nonexistent/key.pem", 0, 0, false};
    assert_null(keyring_read(&gone, 1, &err));
    assert_string_equal(err.text, "DKIM key /nonexistent/key.pem: No such file or directory");
    assert_string_equal(selectors(&s, "example.com", AT(500), text), "ed");
    keyring_hang(&hook, keyring_read(NULL, 0, &err));
    assert_string_equal(selectors(&s, "example.com", AT(500), text), "");
    assert_int_equal(signing_room(&s), 0);
    signing_done(&s);
    keyring_hook_done(&hook);
}

static void failures(void **state) {
    (void)state;
    struct err err;
    struct keyring_hook hook;
    struct signing s;
    struct buf out;
    keyring_hook_init(&hook, keyring_read(options, KEYS, &err));
    assert_int_equal(signing_init(&s, &hook, &err), 0);
    buf_init(&out, 700); /* room for one signature, not for two */
    buf_put_text(&out, "x");
    assert_int_equal(signing_put(&s, SLICE("example.com"), slice_of(mail), NULL, 0, AT(500), &out, &err), -1);
    assert_int_equal(out.len, 1);
    buf_done(&out);
    buf_init(&out, 4096);
    assert_int_equal(signing_put(&s, SLICE("example.com"), SLICE("no mail"), NULL, 0, AT(500), &out, &err),
                     -1);
    buf_done(&out);
    signing_done(&s);
    keyring_hook_done(&hook);
}

/* Workers sign while the keys are changed over and over. */
static atomic_bool stop;

static void *work(void *ctx) {
    struct signing s;
    struct err err;
    char text[64];
    if (signing_init(&s, ctx, &err)) abort();
    while (!atomic_load(&stop)) {
        selectors(&s, "example.com", AT(500), text);
        if (strcmp(text, "new ed") != 0 && strcmp(text, "ed") != 0) abort();
    }
    signing_done(&s);
    return NULL;
}

static void changes_under_way(void **state) {
    (void)state;
    struct err err;
    struct keyring_hook hook;
    pthread_t threads[2];
    keyring_hook_init(&hook, keyring_read(options, KEYS, &err));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &hook), 0);
    for (int i = 0; i < 50; i++) {
        keyring_hang(&hook, i % 2 ? keyring_read(options, KEYS, &err) : keyring_read(&options[ED], 1, &err));
        usleep(1000);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    keyring_hook_done(&hook);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {cmocka_unit_test(rotates), cmocka_unit_test(failures),
                                       cmocka_unit_test(changes_under_way)};
    return cmocka_run_group_tests_name("signing", tests, make_keys, drop_keys);
}
