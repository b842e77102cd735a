/* Requests to change the suppression list, checked like anything that comes from outside. */
#include "ctl_suppress.h"

#include "suppress_csv.h"
#include "suppressing.h"

#include <stdio.h>

const char *ctl_suppress_change_name(enum suppress_change change) {
    static const char *const names[] = {"unchanged", "added", "changed", "removed"};
    return names[change];
}

static struct jdoc *done(void) {
    struct jdoc *o = jdoc_object();
    jdoc_put_bool(o, "ok", true);
    return o;
}

static int take_reason(const struct jdoc *request, enum suppress_reason *reason, struct err *err) {
    struct slice name = jdoc_text(request, "reason");
    *reason = suppress_reason_by_name(name);
    if (!name.len || *reason) return 0;
    return err_set(err, ERR_INPUT, "reason '%.*s': expected bounce, complaint, unsubscribe or manual",
                   name.len > 40 ? 40 : (int)name.len, name.at);
}

static int take_entries(const struct jdoc *request, struct arena *arena, struct suppress_entry *entries,
                        size_t count, struct err *err) {
    const struct jdoc *list = jdoc_get(request, "addresses");
    struct suppress_row row = {.note = jdoc_text(request, "note")};
    if (take_reason(request, &row.reason, err) || suppress_csv_note(row.note, err)) return -1;
    for (size_t i = 0; i < count; i++) {
        struct address address;
        struct slice text = jdoc_text(jdoc_item(list, i), "address");
        if (address_parse(text, arena, &address, err))
            return err_wrap(err, "'%.*s'", text.len > 300 ? 300 : (int)text.len, text.len ? text.at : "");
        entries[i] = (struct suppress_entry){.address = address.text, .row = row};
    }
    return 0;
}

static int change(struct instance *in, const struct jdoc *request, struct suppress_entry *entries,
                  size_t count, struct err *err) {
    struct slice what = jdoc_text(request, "change");
    if (slice_eq(what, SLICE("add")))
        return engine_suppress(in->engine, 0, SUPPRESS_BY_COMMAND, entries, count, err);
    if (slice_eq(what, SLICE("remove"))) return engine_unsuppress(in->engine, 0, entries, count, err);
    return err_set(err, ERR_INPUT, "suppress: expected add or remove");
}

struct jdoc *ctl_suppress(struct instance *in, const struct jdoc *request) {
    struct suppress_entry entries[ENGINE_SUPPRESS_MOST] = {0};
    struct arena arena;
    struct err err;
    const struct jdoc *given = jdoc_get(request, "addresses");
    size_t count = jdoc_count(given);
    arena_init(&arena, 1 << 20);
    int failed = !jdoc_is_list(given) ? err_set(&err, ERR_INPUT, "suppress: expected a list of addresses")
                 : count > ENGINE_SUPPRESS_MOST
                     ? err_set(&err, ERR_INPUT, "suppress: more than %d addresses", ENGINE_SUPPRESS_MOST)
                     : take_entries(request, &arena, entries, count, &err);
    if (!failed) failed = change(in, request, entries, count, &err);
    struct jdoc *o = failed ? talk_refusal(&err) : done();
    struct jdoc *list = failed ? NULL : jdoc_child_list(o, "changes");
    for (size_t i = 0; i < count && !failed; i++) {
        struct jdoc *one = jdoc_item_object(list);
        jdoc_put_text(one, "address", entries[i].address);
        jdoc_put_text(one, "change", slice_of(ctl_suppress_change_name(entries[i].change)));
    }
    arena_done(&arena);
    return o;
}

/* ---- import ---- */

void ctl_suppress_put_counts(struct jdoc *o, const struct suppress_counts *c) {
    jdoc_put_number(o, "rows", (int64_t)c->rows);
    jdoc_put_number(o, "added", (int64_t)c->added);
    jdoc_put_number(o, "changed", (int64_t)c->changed);
    jdoc_put_number(o, "unchanged", (int64_t)c->unchanged);
    jdoc_put_number(o, "rejected", (int64_t)c->rejected);
}

void ctl_suppress_take_counts(const struct jdoc *o, struct suppress_counts *c) {
    *c = (struct suppress_counts){.rows = (uint64_t)jdoc_number(o, "rows", 0),
                                  .added = (uint64_t)jdoc_number(o, "added", 0),
                                  .changed = (uint64_t)jdoc_number(o, "changed", 0),
                                  .unchanged = (uint64_t)jdoc_number(o, "unchanged", 0),
                                  .rejected = (uint64_t)jdoc_number(o, "rejected", 0)};
}

struct watcher {
    struct talk *talk;
    int *stop;
};

/* A client that has left does not wait for the rest. */
static void tell(void *ctx, const struct suppress_counts *counts) {
    struct watcher *watcher = ctx;
    struct jdoc *o = jdoc_object();
    struct err err;
    jdoc_put_bool(o, "more", true);
    ctl_suppress_put_counts(o, counts);
    if (talk_send(watcher->talk, o, NULL, 0, &err)) __atomic_store_n(watcher->stop, 1, __ATOMIC_RELAXED);
    jdoc_free(o);
}

struct jdoc *ctl_suppress_import(struct instance *in, struct talk *w, const struct jdoc *request, int *stop) {
    char rejects[64];
    struct err err;
    struct suppress_counts counts;
    struct suppressing to = {.store = in->store, .engine = in->engine};
    struct watcher watcher = {w, stop};
    snprintf(rejects, sizeof rejects, "/proc/self/fd/%d", w->fd_count > 1 ? w->fds[1] : -1);
    struct suppress_import import = {.fd = w->fds[0],
                                     .address_column = jdoc_text(request, "address_column"),
                                     .rejects = w->fd_count > 1 ? rejects : NULL,
                                     .stop = stop,
                                     .progress = tell,
                                     .ctx = &watcher};
    if (take_reason(request, &import.reason, &err) || suppress_import(&import, &to, &counts, &err))
        return talk_refusal(&err);
    struct jdoc *o = done();
    ctl_suppress_put_counts(o, &counts);
    return o;
}
