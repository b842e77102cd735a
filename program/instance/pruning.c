/* Choosing by age and name, and doing it. */
#include "pruning.h"

#include "instance.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct jdoc *pruning_to_json(const struct pruning *p) {
    struct jdoc *o = jdoc_object();
    jdoc_put_text(o, "do", SLICE("prune"));
    jdoc_put_number(o, "older_us", p->older_us);
    jdoc_put_text(o, "campaign", slice_of(p->campaign));
    jdoc_put_bool(o, "dry", p->dry);
    return o;
}

int pruning_from_json(struct pruning *p, const struct jdoc *request, struct err *err) {
    struct slice campaign = jdoc_text(request, "campaign");
    *p = (struct pruning){.older_us = jdoc_number(request, "older_us", -1),
                          .dry = jdoc_bool(request, "dry", true)};
    if (campaign.len >= sizeof p->campaign || (p->older_us < 0 && campaign.len == 0))
        return err_set(err, ERR_INPUT, "prune: expected an age or a campaign");
    snprintf(p->campaign, sizeof p->campaign, "%.*s", SLICE_ARG(campaign));
    return 0;
}

static void put_campaign(struct jdoc *list, const struct retention_campaign *c) {
    struct jdoc *o = jdoc_item_object(list);
    char time[CLOCK_TEXT_MAX];
    jdoc_put_number(o, "campaign", c->id);
    jdoc_put_text(o, "name", slice_of(c->name));
    jdoc_put_text(o, "ended", slice_make(time, (size_t)clock_rfc3339(c->ended, time)));
    jdoc_put_number(o, "recipients", (int64_t)c->recipients);
    jdoc_put_number(o, "bytes", (int64_t)c->bytes);
}

/* The one that is named; of several of that name the newest, else by its number. NULL: none. */
static const struct retention_campaign *find(const struct retention_campaign *all, size_t count,
                                             const char *name) {
    const struct retention_campaign *best = NULL;
    uint64_t number;
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0 && (!best || all[i].id > best->id)) best = &all[i];
    for (size_t i = 0; i < count && !best && slice_to_u64(slice_of(name), &number); i++)
        if (all[i].id == number) best = &all[i];
    return best;
}

struct work {
    const struct pruning *p;
    struct retention *retention;
    struct jdoc *removed, *kept;
};

static int remove_one(struct work *w, struct retention_campaign *c, struct err *err) {
    if (retention_weigh(w->retention, c, err)) return -1;
    if (!w->p->dry) {
        int left = retention_remove(w->retention, c, REMOVED_BY_HAND, clock_wall(), err);
        if (left > 0) return err_set(err, ERR_BUSY, "broken off; `tsubame serve` ends it");
        if (left) return -1;
        instance_say_removed(c, REMOVED_BY_HAND);
    }
    put_campaign(w->removed, c);
    return 0;
}

static int work(struct work *w, struct retention_campaign *all, size_t count, struct err *err) {
    const struct pruning *p = w->p;
    const struct retention_campaign *only = p->campaign[0] ? find(all, count, p->campaign) : NULL;
    wall_us now = clock_wall();
    if (p->campaign[0] && !only)
        return err_set(err, ERR_ABSENT, "there is no campaign '%s', or its recipients were removed before",
                       p->campaign);
    if (only && !only->ended)
        return err_set(err, ERR_INPUT, "campaign %u is under way: only what has ended can be removed",
                       only->id);
    for (size_t i = 0; i < count && all[i].ended; i++) {
        if ((only && &all[i] != only) || (p->older_us >= 0 && now - all[i].ended < p->older_us)) continue;
        if (!all[i].settled)
            put_campaign(w->kept, &all[i]);
        else if (remove_one(w, &all[i], err))
            return -1;
    }
    return 0;
}

static void pause_a_while(void *ctx, int64_t us) {
    (void)ctx;
    nanosleep(&(struct timespec){0, (us < 100000 ? us : 100000) * 1000}, NULL);
}

int pruning_run(const struct pruning *p, struct store *store, bool (*stop)(void *ctx), void *ctx,
                struct jdoc *reply, struct err *err) {
    struct retention_manners manners = {stop, pause_a_while, ctx};
    struct work w = {.p = p, .retention = retention_open(store, err)};
    struct retention_campaign *all;
    size_t count;
    if (!w.retention) return -1;
    retention_behave(w.retention, &manners);
    w.removed = jdoc_child_list(reply, "campaigns");
    w.kept = jdoc_child_list(reply, "kept");
    int failed = retention_list(w.retention, &all, &count, err);
    if (!failed) {
        failed = work(&w, all, count, err);
        free(all);
    }
    uint64_t notes = 0;
    if (!failed && p->older_us >= 0 && !p->campaign[0]) {
        failed = retention_forget_notes(w.retention, clock_wall() - p->older_us, p->dry, &notes, err);
        if (failed > 0) failed = err_set(err, ERR_BUSY, "broken off; try again");
    }
    jdoc_put_number(reply, "notes", (int64_t)notes);
    retention_free(w.retention);
    log_flush();
    return failed;
}
