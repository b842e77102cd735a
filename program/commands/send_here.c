/* `send` without a server: the engine runs in this process until the campaign is done. */
#include "instance.h"
#include "log.h"
#include "sendjob.h"
#include "taking.h"
#include "units.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 100, LANES_MOST = 1024, CAMPAIGNS_MOST = 1000 };

struct working {
    struct sendjob *job;
    struct instance instance;
    struct lane_status *lanes;
    uint32_t id;
};

static void tell_load(void *ctx, const struct load_counts *counts) {
    struct sendjob *job = ctx;
    progress_loading(&job->progress, clock_mono(), counts, false);
}

/* Others that were left unfinished go on too; a person should know why more is sent than they asked for. */
static void say_others(struct working *w) {
    struct campaign_status *all = calloc(CAMPAIGNS_MOST, sizeof *all);
    size_t n = all ? engine_campaigns(w->instance.engine, all, CAMPAIGNS_MOST) : 0;
    for (size_t i = 0; i < n && i < CAMPAIGNS_MOST; i++)
        if (all[i].state == CAMPAIGN_READY && !all[i].ended)
            command_complain(0, "campaign %u (%s) was left unfinished and goes on too: %llu pending",
                             all[i].id, all[i].name, (unsigned long long)tally_pending(&all[i].tally));
    free(all);
}

static unsigned busy_lanes(struct working *w) {
    unsigned busy = 0;
    size_t n = w->lanes ? engine_lanes(w->instance.engine, NULL, w->lanes, LANES_MOST) : 0;
    for (size_t i = 0; i < n && i < LANES_MOST; i++)
        busy += w->lanes[i].sessions > 0;
    return busy;
}

static void look(struct working *w, struct campaign_status *c, bool end) {
    struct engine_counters counters;
    char note[300] = "";
    engine_counters(w->instance.engine, &counters);
    if (counters.stalled) {
        struct buf b;
        buf_init(&b, sizeof note - 1);
        buf_printf(&b, "waits: %.250s", counters.stall_text);
        memcpy(note, b.at, b.len);
        buf_done(&b);
    }
    progress_sending(&w->job->progress, clock_mono(), c, busy_lanes(w), note[0] ? note : NULL, end);
}

/* Until the campaign is over, held, or a person wants to stop. */
static int watch(struct working *w, struct campaign_status *c) {
    struct err err;
    const struct timespec pause = {0, LOOK_MS * 1000000};
    while (!sendjob_interrupted) {
        if (engine_campaign(w->instance.engine, w->id, c, &err)) return command_fail(&err);
        if (c->ended || c->state == CAMPAIGN_HELD) break;
        look(w, c, false);
        instance_watch(&w->instance);
        nanosleep(&pause, NULL);
    }
    return EXIT_DONE;
}

static int load(struct working *w) {
    struct sendjob *job = w->job;
    struct load_counts counts;
    struct err err;
    struct taking t = {.fd = job->csv,
                       .payload = buf_slice(&job->payload),
                       .name = slice_of(job->name),
                       .charset = job->charset,
                       .address_column = job->address_column,
                       .rejects = job->rejects,
                       .list = slice_of(job->list),
                       .template = slice_of(job->template),
                       .hold = job->hold,
                       .course = job->course,
                       .stop = (const int *)(uintptr_t)&sendjob_interrupted,
                       .progress = tell_load,
                       .ctx = job};
    if (taking_run(&w->instance, &t, &w->id, &counts, &err) == 0) {
        sendjob_say_loaded(job, &counts);
        return EXIT_DONE;
    }
    progress_clear(&job->progress);
    if (counts.rejected) sendjob_say_rejects(job);
    if (sendjob_interrupted)
        return command_complain(EXIT_INTERRUPTED, "stopped while loading: nothing was sent");
    return command_fail(&err);
}

static int resume(struct working *w) {
    struct campaign_status c;
    struct err err;
    if (engine_campaign_find(w->instance.engine, slice_of(w->job->name), &c, &err)) return command_fail(&err);
    w->id = c.id;
    struct engine_hand hand = {.of = {.campaign = c.id}, .touched = tally_pending(&c.tally)};
    if (!c.ended && (c.state == CAMPAIGN_HELD || c.state == CAMPAIGN_READY) &&
        engine_resume(w->instance.engine, w->id, &hand, &err))
        return command_fail(&err);
    return EXIT_DONE;
}

/* The end in good order: what was on the wire is answered within the grace. */
static int finish(struct working *w, struct campaign_status *c) {
    struct err err;
    int code = EXIT_DONE;
    bool over = c->ended || c->state == CAMPAIGN_HELD;
    if (over) look(w, c, true);
    progress_clear(&w->job->progress);
    if (!over)
        command_complain(0, "stopping: mail on the wire is brought to its end (again to stop at once)");
    if (instance_close(&w->instance, w->job->in->options->deliver.grace, &err)) code = command_fail(&err);
    if (over) {
        int said = sendjob_conclude(w->job, c);
        return code ? code : said;
    }
    command_complain(
        0,
        "campaign %u (%s) is not finished; nothing is lost. To go on: `tsubame send --resume %u`, or "
        "`tsubame serve`",
        c->id, c->name, c->id);
    return EXIT_INTERRUPTED;
}

int sendjob_here(struct sendjob *job, bool resumed) {
    struct working w = {.job = job};
    struct campaign_status c = {0};
    struct err err;
    sendjob_catch_signals();
    if (instance_raise_files(job->in->options, &err) || instance_open(&w.instance, job->in->options, &err))
        return command_fail(&err);
    w.lanes = calloc(LANES_MOST, sizeof *w.lanes);
    if (!resumed) say_others(&w);
    int code = resumed ? resume(&w) : load(&w);
    if (code == EXIT_DONE) code = watch(&w, &c);
    if (code == EXIT_DONE && c.id == 0 && engine_campaign(w.instance.engine, w.id, &c, &err))
        code = command_fail(&err);
    if (code == EXIT_DONE)
        code = finish(&w, &c);
    else
        instance_close(&w.instance, job->in->options->deliver.grace, &err);
    free(w.lanes);
    log_flush();
    return code;
}
