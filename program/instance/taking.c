/* From a file to a campaign. Everything that can be said to be wrong is said before the campaign is begun. */
#include "taking.h"

#include "codec.h"
#include "template.h"

enum { BLAMED_MOST = 200 };

/* Without a folder every mail would fail: better said now. */
static int check_personal(const struct content *c, bool allowed, struct err *err) {
    for (size_t i = 0; i < c->file_count && !allowed; i++)
        if (c->files[i].path.len)
            return err_set(
                err, ERR_INPUT,
                "attachments: personal files are read below attachments.folder, which is not configured");
    return 0;
}

int taking_check_content(struct slice payload, const struct slice *columns, size_t count, bool personal,
                         struct err *err) {
    struct arena arena;
    struct content content;
    struct template *t = NULL;
    arena_init(&arena, CONTENT_ROOM);
    if (content_decode(payload, &arena, &content, err) == 0 && check_personal(&content, personal, err) == 0)
        t = template_compile(&content, columns, count, err);
    arena_done(&arena);
    template_free(t);
    return t ? 0 : -1;
}

int taking_blame(struct slice file, struct err *err) {
    if (file.len > BLAMED_MOST) file = slice_skip(file, file.len - BLAMED_MOST);
    return file.len && err->kind == ERR_INPUT ? err_wrap(err, "%.*s", SLICE_ARG(file)) : -1;
}

int taking_check_name(struct slice name, struct err *err) {
    uint64_t number;
    bool good = name.len >= 1 && name.len <= TAKING_NAME_MAX && codec_utf8_valid(name);
    for (size_t i = 0; i < name.len && good; i++)
        good = (unsigned char)name.at[i] >= ' ' && name.at[i] != 0x7f;
    if (!good)
        return err_set(err, ERR_INPUT, "a campaign's name is 1 to %d bytes of text on one line",
                       TAKING_NAME_MAX);
    if (slice_to_u64(name, &number))
        return err_set(err, ERR_INPUT, "a campaign's name is not a number: numbers are given by Tsubame");
    return 0;
}

static int load(struct instance *in, const struct taking *t, struct load *l, uint32_t *id,
                struct load_counts *counts, struct err *err) {
    wall_us now = clock_wall(), begins = t->course.not_before > now ? t->course.not_before : now;
    struct campaign_row row = {.name = t->name,
                               .course = t->course,
                               .expires = begins < NEVER - in->options->deliver.expire
                                              ? begins + in->options->deliver.expire
                                              : NEVER,
                               .hold_uncertain = in->options->deliver.uncertain == OPTION_UNCERTAIN_HOLD,
                               .columns = load_columns_text(l)};
    if (engine_campaign_begin(in->engine, &row, t->payload, err)) return -1;
    struct tally tally;
    int failed = load_run(l, row.id, row.hash_seed, counts, err);
    if (failed) taking_blame(t->list, err);
    if (!failed && t->progress) t->progress(t->ctx, counts);
    if (!failed && t->stop && __atomic_load_n(t->stop, __ATOMIC_RELAXED))
        failed = err_set(err, ERR_BUSY, "loading was stopped");
    if (!failed) {
        tally = load_tally(counts);
        failed = engine_campaign_ready(in->engine, row.id, counts->chunks, &tally, t->hold, err);
    }
    if (failed) engine_campaign_abandon(in->engine, row.id, NULL);
    *id = row.id;
    return failed ? -1 : 0;
}

int taking_run(struct instance *in, const struct taking *t, uint32_t *id, struct load_counts *counts,
               struct err *err) {
    *counts = (struct load_counts){0};
    struct load_options lo = {.store = in->store,
                              .fd = t->fd,
                              .charset = t->charset,
                              .address_column = t->address_column,
                              .reject_path = t->rejects,
                              .progress = t->progress,
                              .ctx = t->ctx,
                              .stop = t->stop};
    if (taking_check_name(t->name, err) || campaign_course_check(&t->course, clock_wall(), err)) return -1;
    struct load *l = load_open(&lo, err);
    if (!l) return taking_blame(t->list, err);
    size_t columns;
    const struct slice *names = load_columns(l, &columns);
    int failed = 0;
    if (taking_check_content(t->payload, names, columns, in->personal_folder >= 0, err))
        failed = taking_blame(t->template, err);
    else
        failed = load(in, t, l, id, counts, err);
    load_free(l);
    return failed;
}
