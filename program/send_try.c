/* `send --dry-run`: the whole load into a store that is thrown away, and one mail rendered out of it. */
#include "content.h"
#include "instance.h"
#include "pack.h"
#include "render.h"
#include "sendjob.h"
#include "taking.h"
#include "units.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRY_CAMPAIGN = 1, MAIL_MAX = 64 << 20 };

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
                              .address_column = t->job->address_column,
                              .reject_path = t->job->rejects,
                              .progress = tell_load,
                              .ctx = t,
                              .stop = (const int *)(uintptr_t)&sendjob_interrupted};
    t->load = load_open(&lo, err);
    if (!t->load) return taking_blame(slice_of(t->job->list), err);
    size_t count;
    const struct slice *columns = load_columns(t->load, &count);
    if (taking_check_content(buf_slice(&t->job->payload), columns, count, err))
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
    if (!table) return -1;
    for (unsigned i = 0; i < table->columns.count; i++)
        values[i] = chunk_table_value(table, 0, i);
    struct slice to = chunk_table_address(table, 0);
    snprintf(t->to, sizeof t->to, "%.*s", SLICE_ARG(to));
    struct render_input input = {.to = to,
                                 .values = values,
                                 .value_count = table->columns.count,
                                 .message_id = SLICE("message-id-comes-here@example.invalid"),
                                 .date = clock_wall()};
    renderer_init(&renderer);
    int failed = render_mail(&renderer, compiled, &input, &t->mail, err);
    renderer_done(&renderer);
    chunk_table_free(table);
    return failed ? err_wrap(err, "the mail to %s", t->to) : 0;
}

static int render(struct trial *t, struct err *err) {
    struct arena arena;
    struct content content;
    size_t count;
    const struct slice *columns = load_columns(t->load, &count);
    arena_init(&arena, 32 << 20);
    struct template *compiled = NULL;
    if (content_decode(buf_slice(&t->job->payload), &arena, &content, err) == 0)
        compiled = template_compile(&content, columns, count, err);
    int failed = compiled ? render_first(t, compiled, err) : -1;
    template_free(compiled);
    arena_done(&arena);
    return failed;
}

static int tell(struct trial *t) {
    struct buf out;
    buf_init(&out, MAIL_MAX + 65536);
    if (t->job->in->json) {
        struct jdoc *o = jdoc_object();
        jdoc_put_number(o, "rows", (int64_t)t->counts.rows);
        jdoc_put_number(o, "recipients", (int64_t)t->counts.kept);
        jdoc_put_number(o, "duplicates", (int64_t)t->counts.duplicates);
        jdoc_put_number(o, "rejected", (int64_t)t->counts.rejected);
        jdoc_put_text(o, "first_to", slice_of(t->to));
        jdoc_put_text(o, "first_mail", buf_slice(&t->mail));
        jdoc_write(o, true, &out);
        jdoc_free(o);
    } else {
        units_put_grouped(&out, t->counts.kept);
        buf_put_text(&out, " would get a mail, ");
        units_put_grouped(&out, t->counts.duplicates);
        buf_put_text(&out, " rows are duplicates, ");
        units_put_grouped(&out, t->counts.rejected);
        buf_printf(&out, " are rejected. Nothing was sent. The mail to %s (unsigned here):\n\n", t->to);
        buf_put_slice(&out, buf_slice(&t->mail));
    }
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
