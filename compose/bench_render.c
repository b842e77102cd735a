/* Measures what a mail costs here: rows read and checked, mails rendered, mails signed. CPU time of this
 * thread.
 *
 *     bench_render [ROUNDS [render]]
 *
 * With "render" only the rendering.
 */
#include "csv.h"
#include "dkim.h"
#include "render.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAIL_MAX = 1 << 20, ROWS = 400000, SIGNATURES = 2000 };

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct err *err) {
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(2);
}

/* What a shop would send: 12 variables and a loop over five things, text and HTML, 4 KB once encoded. */
static void write_template(struct buf *yaml) {
    buf_put_text(yaml, "from: Swallow News <news@example.com>\nto_name: '{{name}}'\n"
                       "subject: '{{name}}, your order {{order}} is on its way'\n"
                       "text: |\n  Dear {{name}},\n\n  your order {{order}} of {{day}} has left our house.\n"
                       "  It goes to {{street}}, {{city}}, by {{carrier}} ({{parcel}}).\n");
    for (int i = 0; i < 9; i++)
        buf_put_text(yaml,
                     "  A line of the text that is the same for all who get it, and as long as lines are.\n");
    buf_put_text(
        yaml,
        "html: |\n  <!doctype html><html><head><meta charset=\"utf-8\"><title>{{order}}</title></head>\n"
        "  <body style=\"font-family: sans-serif; color: #222\"><h1>Dear {{name}}</h1>\n  <table>\n"
        "  {{#each items}}\n"
        "    <tr><td class=\"left wide\">{{count}} x {{title}}</td>\n"
        "      <td class=\"right\">{{price}}</td></tr>\n"
        "  {{/each}}\n  </table>\n");
    for (int i = 0; i < 13; i++)
        buf_put_text(
            yaml,
            "    <tr><td class=\"left wide\">A row of the table</td>\n"
            "      <td class=\"right\"><a href=\"https://example.com/shop/item\">item</a> 12.50</td></tr>\n");
    buf_put_text(yaml, "  {{#if gift}}<p>This is a gift.</p>{{/if}}\n"
                       "  <p>{{total}} {{currency}}, {{day}}: {{street}}, {{city}} {{country}} "
                       "<a href=\"https://example.com/t/{{parcel}}\">follow</a>, {{agent}}</p>\n"
                       "  </body></html>\n");
}

static const struct slice columns[] = {{"email", 5}, {DATA_COLUMN, 2}};
enum { COLUMNS = sizeof columns / sizeof *columns };
static const char data[] =
    "{\"name\": \"Anna Karenina\", \"order\": \"2026-117734\", \"day\": \"21 November\","
    "\"street\": \"12 Harbour Street & Co\", \"city\": \"Kobe\", \"country\": \"Japan\","
    "\"carrier\": \"Swift\", \"parcel\": \"JP00918273645\", \"total\": 148.5, \"currency\": \"EUR\","
    "\"gift\": false, \"agent\": \"Kenji\", \"items\": ["
    "{\"count\": 1, \"title\": \"Nest, large\", \"price\": 99}, {\"count\": 12, \"title\": \"Flies\", "
    "\"price\": 1.5},"
    "{\"count\": 2, \"title\": \"Mud <wet>\", \"price\": 4.25}, {\"count\": 1, \"title\": \"Wire\", "
    "\"price\": 12},"
    "{\"count\": 3, \"title\": \"Reeds\", \"price\": 3.5}]}";

static struct template *compile(struct arena *arena) {
    struct err err;
    struct buf yaml;
    struct content content;
    buf_init(&yaml, 1 << 20);
    write_template(&yaml);
    struct yaml *root = yaml_parse(buf_slice(&yaml), "bench.yaml", arena, &err);
    if (!root || content_from_yaml(root, "bench.yaml", NULL, arena, &content, &err)) die("template", &err);
    struct template *t = template_compile(&content, columns, COLUMNS, &err);
    if (!t) die("template", &err);
    buf_done(&yaml);
    return t;
}

static void bench_render(const struct template *t, size_t rounds, struct buf *mail) {
    struct slice values[COLUMNS] = {SLICE("anna.karenina@example.net")};
    struct buf packed;
    struct renderer r;
    struct err err;
    renderer_init(&r);
    buf_init(&packed, 1 << 16);
    if (value_put_json(slice_of(data), &packed, &err)) die("data", &err);
    values[1] = buf_slice(&packed);
    double begun = cpu_seconds();
    for (size_t i = 0; i < rounds; i++) {
        char id[] = "0000000000000000.campaign@example.com";
        id[0] = (char)('a' + i % 26);
        struct render_input in = {.to = values[0],
                                  .values = values,
                                  .value_count = COLUMNS,
                                  .message_id = slice_make(id, sizeof id - 1),
                                  .date = INT64_C(1700000000000000)};
        buf_reset(mail);
        if (render_mail(&r, t, &in, mail, &err)) die("render", &err);
    }
    double each = (cpu_seconds() - begun) / (double)rounds;
    printf("render_us %.2f (a mail of %zu bytes)\n", each * 1e6, mail->len);
    renderer_done(&r);
    buf_done(&packed);
}

static void bench_sign(struct slice mail) {
    struct err err;
    struct buf pem, header;
    buf_init(&pem, 1 << 16), buf_init(&header, 1 << 16);
    if (dkim_key_generate(DKIM_RSA_SHA256, 2048, &pem, &err)) die("key", &err);
    struct dkim_key *key = dkim_key_read(buf_slice(&pem), &err);
    struct dkim_signer *s = key ? dkim_signer_open(key, &err) : NULL;
    struct dkim_mail *m = dkim_mail_open(&err);
    if (!s || !m) die("key", &err);
    double best[2] = {1, 1};
    /* A mail of nothing costs the RSA operation and little else; the difference is what bytes cost. The best
     * of many, since what else runs on the machine only adds. */
    const struct slice mails[2] = {SLICE("From: a@b.c\r\n\r\n"), mail};
    for (int i = 0; i < SIGNATURES; i++) {
        buf_reset(&header);
        double begun = cpu_seconds();
        if (dkim_mail_read(m, mails[i % 2], NULL, 0, &err) ||
            dkim_sign(m, s, SLICE("example.com"), SLICE("s1"), i, &header, &err))
            die("sign", &err);
        double took = cpu_seconds() - begun;
        if (took < best[i % 2]) best[i % 2] = took;
    }
    printf("sign_us %.2f; of an empty mail %.2f\n", best[1] * 1e6, best[0] * 1e6);
    dkim_signer_free(s);
    dkim_mail_free(m);
    dkim_key_free(key);
    buf_done(&pem), buf_done(&header);
}

static void bench_csv(void) {
    struct buf list;
    struct err err;
    const struct slice *names;
    size_t count, rows = 0, taken = 0;
    uint64_t sum = 0;
    struct csv_row row;
    struct arena arena;
    buf_init(&list, 256 << 20);
    buf_put_text(&list, "email,name,order,street,city,parcel\n");
    for (unsigned i = 0; i < ROWS; i++)
        buf_printf(&list, "person.%u@Mail%u.Example.com,Anna Karenina,2026-%u,12 Harbour Street,Kobe,JP%u\n",
                   i, i % 977, i, i * 7);
    arena_init(&arena, 1 << 16);
    double begun = cpu_seconds(), parsing = 0;
    for (int pass = 0; pass < 2; pass++) {
        struct csv *c = csv_open_bytes(buf_slice(&list), &err);
        if (!c || csv_header(c, &names, &count, &err)) die("csv", &err);
        for (rows = 0; csv_next(c, &row, &err) == 1; rows++) {
            struct address a;
            if (pass == 0) continue;
            arena_reset(&arena);
            if (address_parse(row.fields[0], &arena, &a, &err) == 0) taken++;
            sum += address_hash(1, &a);
        }
        csv_free(c);
        double now = cpu_seconds();
        if (pass == 0) parsing = now - begun, begun = now;
    }
    double both = cpu_seconds() - begun;
    printf("csv_rows_s %.0f with addresses and hashes, %.0f without; %.0f ns an address (%zu of %zu rows, "
           "%llx)\n",
           (double)rows / both, (double)rows / parsing, (both - parsing) / (double)rows * 1e9, taken, rows,
           (unsigned long long)sum);
    arena_done(&arena);
    buf_done(&list);
}

int main(int argc, char **argv) {
    struct arena arena;
    struct buf mail;
    uint64_t rounds = 200000;
    if (argc > 1 && !slice_to_u64(slice_of(argv[1]), &rounds)) return 2;
    arena_init(&arena, 16 << 20);
    buf_init(&mail, MAIL_MAX);
    struct template *t = compile(&arena);
    bench_render(t, rounds, &mail);
    if (argc < 3) {
        bench_sign(buf_slice(&mail));
        bench_csv();
    }
    template_free(t);
    buf_done(&mail);
    arena_done(&arena);
    return 0;
}
