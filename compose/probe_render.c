/* For tests: renders a template for the rows of a list, signs when a key is given, and writes the mails.
 *
 *     probe_render TEMPLATE.yaml LIST.csv [DOMAIN SELECTOR KEY.pem [SELECTOR KEY.pem]]
 *
 * For each row "mail LENGTH\n" and so many bytes, or "failed TEXT\n", or "row LINE TEXT\n" when the list's
 * row is bad. `probe_render key rsa` (or ed25519) writes a new private key and "\n" and its DNS record. */
#include "csv.h"
#include "dkim.h"
#include "render.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAIL_MAX = 32 * 1024 * 1024, ARENA_MAX = 64 * 1024 * 1024 };

struct probe {
    struct csv *csv;
    struct template *template;
    struct renderer renderer;
    struct dkim_mail *mail;
    struct dkim_key *keys[DKIM_ALGORITHMS];
    struct dkim_signer *signers[DKIM_ALGORITHMS];
    const char *domain, *selectors[DKIM_ALGORITHMS];
    int key_count;
    size_t address; /* its column */
    size_t columns;
    uint64_t sent;
};

static void die(const char *what, const struct err *err) {
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(2);
}

static int make_key(const char *kind) {
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 16);
    bool rsa = strcmp(kind, "rsa") == 0;
    if (dkim_key_generate(rsa ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256, 2048, &out, &err)) die("key", &err);
    struct dkim_key *key = dkim_key_read(buf_slice(&out), &err);
    if (!key) die("key", &err);
    buf_put_c(&out, '\n');
    if (dkim_key_record(key, &out, &err)) die("key", &err);
    fwrite(out.at, 1, out.len, stdout);
    dkim_key_free(key);
    buf_done(&out);
    return 0;
}

static int write_mail(struct probe *p, const struct csv_row *row, struct arena *arena, struct buf *mail,
                      struct buf *signature, struct err *err) {
    struct address to;
    char id[64];
    if (address_parse(row->fields[p->address], arena, &to, err)) return -1;
    int n = snprintf(id, sizeof id, "probe.%llu@example.org", (unsigned long long)p->sent++);
    struct render_input in = {.to = to.text,
                              .values = row->fields,
                              .value_count = p->columns,
                              .message_id = slice_make(id, (size_t)n),
                              .date = INT64_C(1700000000000000)};
    if (render_mail(&p->renderer, p->template, &in, mail, err)) return -1;
    if (p->key_count && dkim_mail_read(p->mail, buf_slice(mail), NULL, 0, err)) return -1;
    for (int i = 0; i < p->key_count; i++)
        if (dkim_sign(p->mail, p->signers[i], slice_of(p->domain), slice_of(p->selectors[i]), 1700000000,
                      signature, err))
            return -1;
    printf("mail %zu\n", signature->len + mail->len);
    if (signature->len) fwrite(signature->at, 1, signature->len, stdout);
    fwrite(mail->at, 1, mail->len, stdout);
    return 0;
}

static void write_all(struct probe *p) {
    struct csv_row row;
    struct err err;
    struct arena arena;
    struct buf mail, signature;
    arena_init(&arena, 1 << 16);
    buf_init(&mail, MAIL_MAX), buf_init(&signature, 1 << 16);
    int got;
    while ((got = csv_next(p->csv, &row, &err)) == 1) {
        buf_reset(&mail), buf_reset(&signature), arena_reset(&arena);
        if (row.bad)
            printf("row %llu %s\n", (unsigned long long)row.line, row.bad);
        else if (write_mail(p, &row, &arena, &mail, &signature, &err))
            printf("failed %s\n", err.text);
    }
    if (got < 0) die("csv", &err);
    arena_done(&arena);
    buf_done(&mail), buf_done(&signature);
}

static void take_key(struct probe *p, const char *selector, const char *path) {
    struct err err;
    int i = p->key_count++;
    p->selectors[i] = selector;
    p->keys[i] = dkim_key_read_file(path, &err);
    p->signers[i] = p->keys[i] ? dkim_signer_open(p->keys[i], &err) : NULL;
    if (!p->signers[i]) die(path, &err);
}

int main(int argc, char **argv) {
    struct err err;
    struct arena arena;
    struct content content;
    const struct slice *names;
    struct probe p = {.columns = 0};
    if (argc == 3 && strcmp(argv[1], "key") == 0) return make_key(argv[2]);
    if (argc != 3 && argc != 6 && argc != 8)
        return fprintf(stderr, "probe_render TEMPLATE LIST [DOMAIN SELECTOR KEY [SELECTOR KEY]]\n"), 2;
    arena_init(&arena, ARENA_MAX);
    renderer_init(&p.renderer);
    if (content_read(argv[1], &arena, &content, &err)) die("template", &err);
    p.csv = csv_open(open(argv[2], O_RDONLY | O_CLOEXEC), &err);
    if (!p.csv || csv_header(p.csv, &names, &p.columns, &err)) die(argv[2], &err);
    ptrdiff_t at = csv_address_column(names, p.columns, SLICE(""), &err);
    if (at < 0) die(argv[2], &err);
    p.address = (size_t)at;
    p.template = template_compile(&content, names, p.columns, &err);
    if (!p.template) die(argv[1], &err);
    if (!(p.mail = dkim_mail_open(&err))) die("dkim", &err);
    p.domain = argv[3];
    for (int i = 4; i + 1 < argc; i += 2)
        take_key(&p, argv[i], argv[i + 1]);
    write_all(&p);
    for (int i = 0; i < p.key_count; i++) {
        dkim_signer_free(p.signers[i]);
        dkim_key_free(p.keys[i]);
    }
    dkim_mail_free(p.mail);
    template_free(p.template);
    csv_free(p.csv);
    renderer_done(&p.renderer);
    arena_done(&arena);
    return 0;
}
