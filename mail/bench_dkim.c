/* Measures what signing costs here: CPU time of this thread, the best of many rounds, since what else runs on
 * the machine only adds. Each line is microseconds for one mail.
 *
 *     bench_dkim [BODY_BYTES]
 */
#include "dkim.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 2000 };

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const struct err *err) {
    fprintf(stderr, "bench_dkim: %s\n", err->text);
    exit(2);
}

static void fill(struct buf *mail, size_t body) {
    buf_put_text(mail, "Date: Sat, 21 Nov 2026 21:33:58 +0000\r\nFrom: Swallow News <news@example.com>\r\n"
                       "To: Anna Karenina <anna@example.net>\r\nSubject: Your order is on its way\r\n"
                       "Message-ID: <0000000000000000@example.com>\r\nMIME-Version: 1.0\r\n"
                       "Content-Type: text/html; charset=utf-8\r\nList-Id: <news.example.com>\r\n\r\n");
    for (size_t end = mail->len + body; mail->len < end;)
        buf_put_text(mail, "    <tr><td class=3D\"left wide\">A row of the table</td>=20\r\n");
}

static double best_read(struct dkim_mail *m, struct slice mail, const struct dkim_body *prefix, size_t n) {
    struct err err;
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        double begun = cpu_us();
        if (dkim_mail_read(m, mail, prefix, n, &err)) die(&err);
        double took = cpu_us() - begun;
        if (took < best) best = took;
    }
    return best;
}

static double best_sign(struct dkim_mail *m, enum dkim_algorithm algorithm) {
    struct err err;
    struct buf text;
    double best = 1e9;
    buf_init(&text, 1 << 16);
    if (dkim_key_generate(algorithm, DKIM_BITS_USUAL, &text, &err)) die(&err);
    struct dkim_key *key = dkim_key_read(buf_slice(&text), &err);
    struct dkim_signer *s = key ? dkim_signer_open(key, &err) : NULL;
    if (!s) die(&err);
    for (int i = 0; i < ROUNDS; i++) {
        buf_reset(&text);
        double begun = cpu_us();
        if (dkim_sign(m, s, SLICE("example.com"), SLICE("s1"), i, &text, &err)) die(&err);
        double took = cpu_us() - begun;
        if (took < best) best = took;
    }
    dkim_signer_free(s);
    dkim_key_free(key);
    buf_done(&text);
    return best;
}

int main(int argc, char **argv) {
    struct err err;
    struct buf mail;
    uint64_t size = 4096;
    if (argc > 1 && (!slice_to_u64(slice_of(argv[1]), &size) || size > 64 << 20)) return 2;
    buf_init(&mail, 128 << 20);
    fill(&mail, size);
    struct slice body = slice_skip(buf_slice(&mail), mail.len);
    for (size_t at = 0; at + 4 < mail.len && !body.len; at++)
        if (memcmp(mail.at + at, "\r\n\r\n", 4) == 0) body = slice_skip(buf_slice(&mail), at + 4);
    struct dkim_mail *m = dkim_mail_open(&err);
    struct dkim_body *prefix = m ? dkim_body_open(&err) : NULL;
    if (!prefix) die(&err);
    printf("read %.2f (header and body of %zu bytes)\n", best_read(m, buf_slice(&mail), NULL, 0), body.len);
    for (size_t part = 1; part <= 4; part++) {
        size_t n = body.len * part / 4;
        dkim_body_start(prefix);
        dkim_body_put(prefix, slice_make(body.at, n));
        printf("read %.2f with %zu %% of the body hashed before\n", best_read(m, buf_slice(&mail), prefix, n),
               part * 25);
    }
    printf("sign %.2f rsa 2048\n", best_sign(m, DKIM_RSA_SHA256));
    printf("sign %.2f ed25519\n", best_sign(m, DKIM_ED25519_SHA256));
    dkim_body_free(prefix);
    dkim_mail_free(m);
    buf_done(&mail);
    return 0;
}
