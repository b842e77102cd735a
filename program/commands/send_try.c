/* `send --dry-run`: the whole load into a store that is thrown away, and one mail rendered out of it. */
#include "codec.h"
#include "content.h"
#include "instance.h"
#include "pack.h"
#include "personal.h"
#include "render.h"
#include "sendjob.h"
#include "taking.h"
#include "units.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRY_CAMPAIGN = 1, MAIL_MAX = 64 << 20, VALUE_SHOWN = 200 };
enum {
    MAIL_USUAL = 20 << 20,
    ENCODED_LINE = 78, /* bytes of a full line of base64, CR LF with it */
    LINES_SHOWN = 3
};

struct trial {
    struct sendjob *job;
    char dir[256];
    struct store *store;
    struct load *load;
    struct load_counts counts;
    struct buf mail;
    char to[256];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int open_trial(struct trial *t, struct err *err) {
    const char *tmp = getenv("TMPDIR");
    struct store_options so = {.map_size = UINT64_C(16) << 30, .reserve = 1 << 20};
    snprintf(t->dir, sizeof t->dir, "%.200s/tsubame-try-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(t->dir)) {
        err_errno(err, errno, "%s", t->dir);
        t->dir[0] = 0;
        return -1;
    }
    t->store = store_open(t->dir, &so, err);
    return t->store ? 0 : -1;
}

static void close_trial(struct trial *t) {
    load_free(t->load);
    store_free(t->store);
    if (t->dir[0]) nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_done(&t->mail);
}

static void tell_load(void *ctx, const struct load_counts *counts) {
    struct trial *t = ctx;
    progress_loading(&t->job->progress, clock_mono(), counts, false);
}

static int load_all(struct trial *t, struct err *err) {
    struct load_options lo = {.store = t->store,
                              .fd = t->job->csv,
                              .charset = t->job->charset,
                              .address_column = t->job->address_column,
                              .reject_path = t->job->rejects,
                              .progress = tell_load,
                              .ctx = t,
                              .stop = (const int *)(uintptr_t)&sendjob_interrupted};
    t->load = load_open(&lo, err);
    if (!t->load) return taking_blame(slice_of(t->job->list), err);
    size_t count;
    const struct slice *columns = load_columns(t->load, &count);
    if (taking_check_content(buf_slice(&t->job->payload), columns, count,
                             t->job->in->options->attachments.folder != NULL, err))
        return taking_blame(slice_of(t->job->template), err);
    return load_run(t->load, TRY_CAMPAIGN, 1, &t->counts, err) ? taking_blame(slice_of(t->job->list), err)
                                                               : 0;
}

static struct chunk_table *first_table(struct trial *t, struct err *err) {
    struct chunk_table *table = NULL;
    struct store_reader *r = store_reader_open(t->store, err);
    struct slice value;
    struct chunk_row row;
    struct buf stored;
    struct pack *pack = pack_new(1);
    struct store_key key = store_key_u64((uint64_t)TRY_CAMPAIGN << 28);
    buf_init(&stored, CHUNK_TABLE_MAX);
    if (!pack) err_set(err, ERR_SYSTEM, "out of memory");
    if (r && pack && store_read_begin(r, err) == 0) {
        int found = store_get(r, TABLE_CHUNK, store_key_slice(&key), &value, err);
        if (found == 0) err_set(err, ERR_CORRUPT, "the first chunk is missing");
        if (found == 1 && chunk_row_decode(value, &row, err) == 0 &&
            segment_read(t->store, row.table, &stored, err) == 0)
            table = chunk_table_decode(buf_slice(&stored), pack, err);
        store_read_end(r);
    }
    pack_free(pack);
    buf_done(&stored);
    store_reader_free(r);
    return table;
}

static int render_first(struct trial *t, const struct template *compiled, struct err *err) {
    struct chunk_table *table = first_table(t, err);
    struct slice values[CHUNK_COLUMNS_MAX];
    struct renderer renderer;
    int folder;
    if (!table) return -1;
    if (personal_folder(t->job->in->options->attachments.folder, &folder, err)) {
        chunk_table_free(table);
        return -1;
    }
    for (unsigned i = 0; i < table->columns.count; i++)
        values[i] = chunk_table_value(table, 0, i);
    struct slice to = chunk_table_address(table, 0);
    snprintf(t->to, sizeof t->to, "%.*s", SLICE_ARG(to));
    struct render_input input = {.to = to,
                                 .values = values,
                                 .value_count = table->columns.count,
                                 .message_id = SLICE("message-id-comes-here@example.invalid"),
                                 .date = clock_wall(),
                                 .file = personal_file,
                                 .file_ctx = &folder};
    renderer_init(&renderer);
    int failed = render_mail(&renderer, compiled, &input, &t->mail, err);
    renderer_done(&renderer);
    chunk_table_free(table);
    if (folder >= 0) close(folder);
    return failed ? err_wrap(err, "the mail to %s", t->to) : 0;
}

static int render(struct trial *t, struct err *err) {
    struct arena arena;
    struct content content;
    size_t count;
    const struct slice *columns = load_columns(t->load, &count);
    arena_init(&arena, CONTENT_ROOM);
    struct template *compiled = NULL;
    if (content_decode(buf_slice(&t->job->payload), &arena, &content, err) == 0)
        compiled = template_compile(&content, columns, count, err);
    int failed = compiled ? render_first(t, compiled, err) : -1;
    template_free(compiled);
    arena_done(&arena);
    return failed;
}

/* A value of the sample for people: a long one is cut. */
static void put_value(struct buf *out, struct slice value) {
    bool cut = value.len > VALUE_SHOWN;
    if (cut) value.len = VALUE_SHOWN;
    while (cut && value.len && !codec_utf8_valid(value))
        value.len--;
    show_text(out, value);
    if (cut) buf_put_text(out, "...");
}

/* How the list was read, and one row of it: what a person has to look at. */
static void tell_list(struct trial *t, struct buf *out) {
    const struct audience_columns *columns = audience_columns(load_audience(t->load));
    struct load_sample sample = load_sample(t->load);
    buf_printf(out, "The list was read as %s, %zu column%s", t->counts.read_as, columns->count,
               columns->count == 1 ? "" : "s");
    buf_put_text(out, ", the address in ");
    show_text(out, columns->names[columns->address]);
    if (sample.values) buf_printf(out, ". Line %llu:", (unsigned long long)sample.line);
    buf_put_c(out, '\n');
    for (size_t i = 0; sample.values && i < columns->count; i++) {
        buf_put_text(out, "    ");
        show_text(out, columns->names[i]);
        buf_put_text(out, ": ");
        put_value(out, sample.values[i]);
        buf_put_c(out, '\n');
    }
    buf_put_c(out, '\n');
}

static void tell_list_json(struct trial *t, struct jdoc *o) {
    const struct audience *audience = load_audience(t->load);
    const struct audience_columns *columns = audience_columns(audience);
    struct load_sample sample = load_sample(t->load);
    enum list_charset charset = audience_charset(audience);
    char separator = audience_separator(audience);
    jdoc_put_text(o, "format", slice_of(audience_format(audience) == AUDIENCE_CSV ? "csv" : "jsonl"));
    jdoc_put_text(o, "charset",
                  slice_of(charset == LIST_CP932  ? "cp932"
                           : charset == LIST_UTF8 ? "utf-8"
                                                  : "ascii"));
    if (separator) jdoc_put_text(o, "separator", slice_make(&separator, 1));
    jdoc_put_text(o, "address_column", columns->names[columns->address]);
    if (!sample.values) return;
    jdoc_put_number(o, "sample_line", (int64_t)sample.line);
    struct jdoc *row = jdoc_child_object(o, "sample");
    struct arena names;
    arena_init(&names, 4 << 20);
    for (size_t i = 0; i < columns->count; i++) {
        const char *name = arena_string(&names, columns->names[i]);
        if (name) jdoc_put_text(row, name, sample.values[i]);
    }
    arena_done(&names);
}

static void put_counts(struct trial *t, struct buf *out) {
    units_put_grouped(out, t->counts.kept);
    buf_put_text(out, " would get a mail, ");
    units_put_grouped(out, t->counts.duplicates);
    buf_put_text(out, " rows are duplicates, ");
    units_put_grouped(out, t->counts.rejected);
    buf_put_text(out, " are rejected. Nothing was sent.\n");
}

/* Of an attachment a person needs to see that it is there: of a long run of full encoded lines the first few.
 */
static void put_mail(struct buf *out, struct slice mail) {
    size_t run = 0;
    while (mail.len) {
        const char *end = memchr(mail.at, '\n', mail.len);
        size_t n = end ? (size_t)(end + 1 - mail.at) : mail.len;
        bool full = n == ENCODED_LINE && !memchr(mail.at, ' ', n);
        if (!full && run > LINES_SHOWN) {
            buf_put_text(out, "[... ");
            units_put_grouped(out, run - LINES_SHOWN);
            buf_put_text(out, " more lines, cut short here]\r\n");
        }
        run = full ? run + 1 : 0;
        if (run <= LINES_SHOWN) buf_put(out, mail.at, n);
        mail = slice_skip(mail, n);
    }
}

static void warn_of_size(size_t bytes) {
    if (bytes > MAIL_USUAL)
        command_complain(0,
                         "warning: this mail has %zu MB; many receivers take none of more than 20 or 25 MB",
                         bytes >> 20);
}

static int tell(struct trial *t) {
    struct buf out;
    buf_init(&out, MAIL_MAX + 4 * 1024 * 1024);
    if (t->job->in->json) {
        struct jdoc *o = jdoc_object();
        jdoc_put_number(o, "rows", (int64_t)t->counts.rows);
        jdoc_put_number(o, "recipients", (int64_t)t->counts.kept);
        jdoc_put_number(o, "duplicates", (int64_t)t->counts.duplicates);
        jdoc_put_number(o, "rejected", (int64_t)t->counts.rejected);
        tell_list_json(t, o);
        jdoc_put_text(o, "first_to", slice_of(t->to));
        jdoc_put_text(o, "first_mail", buf_slice(&t->mail));
        jdoc_write(o, true, &out);
        jdoc_free(o);
    } else {
        put_counts(t, &out);
        tell_list(t, &out);
        buf_printf(&out, "The mail to %s (unsigned here):\n\n", t->to);
        put_mail(&out, buf_slice(&t->mail));
    }
    warn_of_size(t->mail.len);
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

int sendjob_try(struct sendjob *job) {
    struct trial t = {.job = job};
    struct err err;
    buf_init(&t.mail, MAIL_MAX);
    sendjob_catch_signals();
    int code = EXIT_DONE;
    if (open_trial(&t, &err) || load_all(&t, &err) || render(&t, &err)) {
        progress_clear(&job->progress);
        code = sendjob_interrupted ? EXIT_INTERRUPTED : command_fail(&err);
    } else {
        progress_clear(&job->progress);
        code = tell(&t);
    }
    if (t.counts.rejected) sendjob_say_rejects(job);
    close_trial(&t);
    return code;
}
