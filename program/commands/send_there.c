/* `send` with a running server: files go over as descriptors, progress comes back. */
#include "asking.h"
#include "course_json.h"
#include "memfile.h"
#include "sendjob.h"
#include "taking.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 300 };

static void tell_load(void *ctx, const struct jdoc *reply) {
    struct sendjob *job = ctx;
    struct load_counts counts = {.rows = (uint64_t)jdoc_number(reply, "rows", 0),
                                 .duplicates = (uint64_t)jdoc_number(reply, "duplicates", 0),
                                 .rejected = (uint64_t)jdoc_number(reply, "rejected", 0),
                                 .phase = jdoc_bool(reply, "filing", false) ? LOAD_CUTTING : LOAD_READING};
    progress_loading(&job->progress, clock_mono(), &counts, false);
}

static struct jdoc *ask_send(struct sendjob *job, struct talk *server, int payload, int rejects,
                             struct err *err) {
    struct jdoc *request = jdoc_object();
    int fds[] = {job->csv, payload, rejects};
    jdoc_put_text(request, "do", SLICE("send"));
    jdoc_put_text(request, "name", slice_of(job->name));
    jdoc_put_text(request, "address_column", job->address_column);
    if (job->charset)
        jdoc_put_text(request, "charset", slice_of(job->charset == LIST_CP932 ? "cp932" : "utf-8"));
    jdoc_put_text(request, "list", slice_of(job->list));
    jdoc_put_text(request, "template", slice_of(job->template));
    jdoc_put_bool(request, "hold", job->hold);
    course_to_json(request, &job->course);
    struct jdoc *reply = talk_ask(server, request, fds, rejects >= 0 ? 3 : 2, tell_load, job, err);
    jdoc_free(request);
    return reply;
}

/* Loads; the campaign's number, or 0 with *code. */
static uint32_t load(struct sendjob *job, struct talk *server, int *code) {
    struct err err, saved;
    uint32_t id = 0;
    int rejects = -1, payload = memfile_open("content", buf_slice(&job->payload), &err);
    if (payload >= 0 && job->rejects) rejects = memfile_open("rejects", (struct slice){0}, &err);
    struct jdoc *reply = NULL;
    if (payload >= 0 && (rejects >= 0 || !job->rejects))
        reply = ask_send(job, server, payload, rejects, &err);
    if (rejects >= 0 && memfile_save(rejects, job->rejects, &saved)) *code = command_fail(&saved);
    if (reply) {
        struct load_counts counts = {.rows = (uint64_t)jdoc_number(reply, "rows", 0),
                                     .duplicates = (uint64_t)jdoc_number(reply, "duplicates", 0),
                                     .rejected = (uint64_t)jdoc_number(reply, "rejected", 0)};
        struct slice as = jdoc_text(reply, "read_as");
        snprintf(counts.read_as, sizeof counts.read_as, "%.*s", SLICE_ARG(as));
        id = (uint32_t)jdoc_number(reply, "id", 0);
        sendjob_say_loaded(job, &counts);
    } else {
        progress_clear(&job->progress);
        *code = command_fail(&err);
    }
    jdoc_free(reply);
    if (payload >= 0) close(payload);
    if (rejects >= 0) close(rejects);
    return id;
}

static int watch(struct sendjob *job, struct talk *server, uint32_t id) {
    struct asked answer;
    const struct campaign_status *c = &answer.campaign;
    struct err err;
    char note[sizeof answer.trouble + 16];
    const struct timespec pause = {0, LOOK_MS * 1000000};
    for (;;) {
        if (asking_campaign(server, "campaign", id, &answer, &err)) {
            progress_clear(&job->progress);
            return command_complain(
                EXIT_LATER, "%s; the campaign stands in the server's store (`tsubame status`)", err.text);
        }
        bool over = c->ended || c->state == CAMPAIGN_HELD || job->detach;
        snprintf(note, sizeof note, "waits: %s", answer.trouble);
        if (!job->detach)
            progress_sending(&job->progress, clock_mono(), c, answer.busy, answer.trouble[0] ? note : NULL,
                             over);
        if (over) return sendjob_conclude(job, c);
        if (sendjob_interrupted) break;
        nanosleep(&pause, NULL);
    }
    progress_clear(&job->progress);
    command_complain(0, "campaign %u (%s) goes on in the server; `tsubame cancel %u` stops it", c->id,
                     c->name, c->id);
    return EXIT_INTERRUPTED;
}

/* The campaign to be brought to its end, let go if it was held; 0 with *code. */
static uint32_t resume(struct sendjob *job, struct talk *server, int *code) {
    struct asked answer;
    struct err err;
    int failed = asking_find(server, job->name, &answer, &err);
    if (!failed && answer.campaign.state == CAMPAIGN_HELD && !answer.campaign.ended)
        failed = asking_campaign(server, "resume", answer.campaign.id, &answer, &err);
    if (failed) *code = command_fail(&err);
    return failed ? 0 : answer.campaign.id;
}

int sendjob_there(struct sendjob *job, struct talk *server, bool resumed) {
    int code = EXIT_DONE;
    uint32_t id = resumed ? resume(job, server, &code) : load(job, server, &code);
    if (!id) return code;
    sendjob_catch_signals();
    int seen = watch(job, server, id);
    return code ? code : seen;
}
