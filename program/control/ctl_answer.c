/* What the control socket's requests are answered, and done for them. */
#include "ctl_answer.h"

#include "content.h"
#include "course_json.h"
#include "ctl_hands.h"
#include "ctl_lanes.h"
#include "ctl_queue.h"
#include "ctl_suppress.h"
#include "ctl_trace.h"
#include "plan_json.h"
#include "pruning.h"
#include "show.h"
#include "taking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_CAMPAIGNS = 1000, SHOWN_LANES = 4096, PAYLOAD_MAX = CONTENT_MAX + 65536 };

/* 0, which no campaign has, when it is none. */
static uint32_t id_of(const struct jdoc *request) {
    int64_t id = jdoc_number(request, "id", 0);
    return id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0;
}

int ctl_reply(struct talk *w, struct jdoc *object) {
    struct err err;
    int failed = talk_send(w, object, NULL, 0, &err);
    jdoc_free(object);
    if (failed && err.kind == ERR_INPUT) { /* too long: nothing of it was sent */
        struct jdoc *refusal = talk_refusal(&err);
        failed = talk_send(w, refusal, NULL, 0, &err);
        jdoc_free(refusal);
    }
    return failed;
}

static struct jdoc *done(void) {
    struct jdoc *o = jdoc_object();
    jdoc_put_bool(o, "ok", true);
    return o;
}

void ctl_put_counters(struct jdoc *o, struct instance *in) {
    struct engine_counters c;
    struct store_health health;
    engine_counters(in->engine, &c);
    store_health(in->store, &health);
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"delivered", c.delivered},
               {"deferred", c.deferred},
               {"failed", c.failed},
               {"uncertain", c.uncertain},
               {"sessions_open", c.sessions_open},
               {"sessions_opened", c.sessions_opened},
               {"sessions_failed", c.sessions_failed},
               {"dns_queries", c.dns_queries},
               {"retries_waiting", c.retries_waiting},
               {"suppressed", c.suppressed},
               {"suppression_list", c.suppress_listed}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        jdoc_put_number(o, all[i].name, (int64_t)all[i].value);
    jdoc_put_bool(o, "stalled", c.stalled);
    jdoc_put_text(o, "trouble", slice_of(c.stalled ? c.stall_text : health.text));
}

/* Sources whose proxy does not work: their mail waits. */
static void put_proxies(struct jdoc *list, struct instance *in) {
    size_t count = in->options->sources.count;
    struct source_status *all = calloc(count + 1, sizeof *all);
    count = all ? engine_sources(in->engine, all, count) : 0;
    for (size_t i = 0; i < count; i++) {
        struct err note;
        if (!all[i].down) continue;
        err_set(&note, ERR_SYSTEM, "nothing is sent from source %s: %s", all[i].name, all[i].last_error);
        jdoc_item_text(list, slice_of(note.text));
    }
    free(all);
}

void ctl_put_notes(struct jdoc *list, struct instance *in, const struct campaign_status *all, size_t count) {
    struct history_gap gap = projector_gap(in->projector);
    struct projector_stats stats;
    struct err err;
    show_gap_json(list, &gap);
    put_proxies(list, in);
    show_restored_json(list, in->store, all, count);
    projector_stats(in->projector, &stats, &err);
    if (err.kind == ERR_NONE) return;
    err_wrap(&err, "the history is not written on");
    jdoc_item_text(list, slice_of(err.text));
}

static struct jdoc *answer_status(struct instance *in) {
    struct campaign_status *campaigns = calloc(SHOWN_CAMPAIGNS, sizeof *campaigns);
    struct lane_status *lanes = calloc(SHOWN_LANES, sizeof *lanes);
    struct jdoc *o = done();
    size_t shown = 0;
    if (campaigns && lanes) {
        size_t n = engine_campaigns(in->engine, campaigns, SHOWN_CAMPAIGNS);
        struct jdoc *list = jdoc_child_list(o, "campaigns");
        for (; shown < n && shown < SHOWN_CAMPAIGNS; shown++)
            show_campaign_json(jdoc_item_object(list), &campaigns[shown]);
        n = engine_lanes(in->engine, NULL, lanes, SHOWN_LANES);
        list = jdoc_child_list(o, "lanes");
        for (size_t i = 0; i < n && i < SHOWN_LANES; i++)
            show_lane_json(jdoc_item_object(list), &lanes[i]);
    }
    ctl_put_counters(jdoc_child_object(o, "counters"), in);
    ctl_put_notes(jdoc_child_list(o, "notes"), in, campaigns, shown);
    jdoc_put_number(o, "pid", getpid());
    free(campaigns);
    free(lanes);
    return o;
}

static int find_campaign(struct instance *in, const struct jdoc *request, struct campaign_status *c,
                         struct err *err) {
    struct slice name = jdoc_text(request, "name");
    return name.len ? engine_campaign_find(in->engine, name, c, err)
                    : engine_campaign(in->engine, id_of(request), c, err);
}

static struct jdoc *answer_campaign(struct instance *in, const struct jdoc *request) {
    struct campaign_status c;
    struct err err;
    uint32_t busy = 0;
    if (find_campaign(in, request, &c, &err)) return talk_refusal(&err);
    struct lane_status *lanes = calloc(SHOWN_LANES, sizeof *lanes);
    size_t n = lanes ? engine_lanes(in->engine, NULL, lanes, SHOWN_LANES) : 0;
    for (size_t i = 0; i < n && i < SHOWN_LANES; i++)
        busy += lanes[i].sessions > 0;
    struct jdoc *o = done();
    show_campaign_json(jdoc_child_object(o, "campaign"), &c);
    jdoc_put_number(o, "busy", busy);
    ctl_put_counters(jdoc_child_object(o, "counters"), in);
    free(lanes);
    return o;
}

static struct jdoc *answer_change(struct ctl_asker *asker, const struct jdoc *request, struct slice what) {
    struct err err;
    return ctl_hands_campaign(asker, what, id_of(request), &err) ? talk_refusal(&err)
                                                                 : answer_campaign(asker->instance, request);
}

static struct jdoc *answer_course(struct ctl_asker *asker, const struct jdoc *request) {
    struct instance *in = asker->instance;
    struct campaign_change change;
    struct err err;
    char by[OFFLINE_NAME_MAX + 1];
    ctl_who(asker, by);
    if (course_from_json(request, &change, &err) ||
        engine_campaign_change(in->engine, id_of(request), &change, slice_of(by), &err))
        return talk_refusal(&err);
    return answer_campaign(in, request);
}

static struct jdoc *answer_plan(struct instance *in, const struct jdoc *request) {
    struct campaign_status c;
    struct err err;
    struct jdoc *o = NULL;
    struct plan *plan = malloc(sizeof *plan);
    int failed = plan ? find_campaign(in, request, &c, &err) || engine_plan(in->engine, c.id, plan, &err)
                      : err_set(&err, ERR_SYSTEM, "out of memory");
    if (!failed) {
        o = done();
        show_campaign_json(jdoc_child_object(o, "campaign"), &plan->campaign);
        plan_json(jdoc_child_object(o, "plan"), plan);
    }
    free(plan);
    return failed ? talk_refusal(&err) : o;
}

static struct jdoc *answer_backup(struct instance *in, const struct jdoc *request) {
    struct err err;
    struct buf dir;
    buf_init(&dir, 4096);
    buf_put_slice(&dir, jdoc_text(request, "dir"));
    buf_put_c(&dir, 0);
    int failed = dir.failed || dir.len < 2 || dir.at[0] != '/'
                     ? err_set(&err, ERR_INPUT, "backup: expected an absolute path")
                     : store_backup(in->store, dir.at, false, &err);
    buf_done(&dir);
    return failed ? talk_refusal(&err) : done();
}

/* ---- send ---- */

/* Has the client of a load gone? Nobody then waits for the campaign: it is not begun. */
static bool has_left(const struct talk *w) {
    char byte;
    ssize_t n = recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void tell_load(void *ctx, const struct load_counts *counts) {
    const struct ctl_asker *asker = ctx;
    struct jdoc *o = jdoc_object();
    jdoc_put_bool(o, "more", true);
    jdoc_put_number(o, "rows", (int64_t)counts->rows);
    jdoc_put_number(o, "duplicates", (int64_t)counts->duplicates);
    jdoc_put_number(o, "rejected", (int64_t)counts->rejected);
    jdoc_put_bool(o, "filing", counts->phase == LOAD_CUTTING);
    if (ctl_reply(asker->talk, o) || has_left(asker->talk))
        __atomic_store_n(asker->stop, 1, __ATOMIC_RELAXED);
}

static int read_payload(int fd, struct buf *payload, struct err *err) {
    struct stat st;
    if (fstat(fd, &st) || st.st_size < 0 || st.st_size > PAYLOAD_MAX)
        return err_set(err, ERR_INPUT, "the content is too large");
    char *to = buf_room(payload, (size_t)st.st_size + 1);
    ssize_t n = to ? pread(fd, to, (size_t)st.st_size, 0) : -1;
    if (n != st.st_size) return err_set(err, ERR_SYSTEM, "the content could not be read");
    buf_grew(payload, (size_t)n);
    return 0;
}

/* The file is opened anew with the server's rights: it must be one that the client could write itself. */
static bool may_write(int fd) {
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH) && fstat(fd, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static struct jdoc *answer_send(struct ctl_asker *asker, const struct jdoc *request) {
    struct talk *w = asker->talk;
    char rejects[64];
    struct err err;
    struct buf payload;
    struct load_counts counts;
    uint32_t id = 0;
    if (w->fd_count < 2) {
        err_set(&err, ERR_INPUT, "send: expected two or three descriptors");
        return talk_refusal(&err);
    }
    if (w->fd_count > 2 && !may_write(w->fds[2])) {
        err_set(&err, ERR_INPUT, "send: the file for rejected rows must be a regular file, open for writing");
        return talk_refusal(&err);
    }
    enum list_charset charset = LIST_UNKNOWN;
    struct slice named = jdoc_text(request, "charset");
    if (named.len && !list_charset_parse(named, &charset)) {
        err_set(&err, ERR_INPUT, "send: the charset '%.*s' is not known", SLICE_ARG(named));
        return talk_refusal(&err);
    }
    struct campaign_change change;
    if (course_from_json(request, &change, &err)) return talk_refusal(&err);
    buf_init(&payload, PAYLOAD_MAX + 1);
    snprintf(rejects, sizeof rejects, "/proc/self/fd/%d", w->fd_count > 2 ? w->fds[2] : -1);
    struct taking t = {.fd = w->fds[0],
                       .name = jdoc_text(request, "name"),
                       .charset = charset,
                       .address_column = jdoc_text(request, "address_column"),
                       .rejects = w->fd_count > 2 ? rejects : NULL,
                       .list = jdoc_text(request, "list"),
                       .template = jdoc_text(request, "template"),
                       .hold = jdoc_bool(request, "hold", false),
                       .course = change.to,
                       .stop = asker->stop,
                       .progress = tell_load,
                       .ctx = asker};
    int failed = read_payload(w->fds[1], &payload, &err);
    t.payload = buf_slice(&payload);
    if (!failed) failed = taking_run(asker->instance, &t, &id, &counts, &err);
    buf_done(&payload);
    if (failed) return talk_refusal(&err);
    struct jdoc *o = done();
    jdoc_put_number(o, "id", id);
    jdoc_put_number(o, "rows", (int64_t)counts.rows);
    jdoc_put_number(o, "kept", (int64_t)counts.kept);
    jdoc_put_number(o, "duplicates", (int64_t)counts.duplicates);
    jdoc_put_number(o, "rejected", (int64_t)counts.rejected);
    jdoc_put_text(o, "read_as", slice_of(counts.read_as));
    return o;
}

static struct jdoc *answer_import(struct ctl_asker *asker, const struct jdoc *request) {
    struct talk *w = asker->talk;
    struct err err;
    if (w->fd_count >= 1 && (w->fd_count < 2 || may_write(w->fds[1])))
        return ctl_suppress_import(asker->instance, w, request, asker->stop);
    err_set(&err, ERR_INPUT,
            "suppress-import: expected the file, and one for rejected rows open for writing");
    return talk_refusal(&err);
}

static bool asker_stops(void *ctx) {
    const struct ctl_asker *asker = ctx;
    return __atomic_load_n(asker->stop, __ATOMIC_RELAXED);
}

static struct jdoc *answer_prune(struct ctl_asker *asker, const struct jdoc *request) {
    struct pruning p;
    struct err err;
    struct jdoc *o = done();
    if (pruning_from_json(&p, request, &err) == 0 &&
        pruning_run(&p, asker->instance->store, asker_stops, asker, o, &err) == 0)
        return o;
    jdoc_free(o);
    return talk_refusal(&err);
}

struct jdoc *ctl_answer(struct ctl_asker *asker, const struct jdoc *request) {
    struct instance *in = asker->instance;
    struct err err;
    struct slice what = jdoc_text(request, "do");
    if (slice_eq(what, SLICE("status"))) return answer_status(in);
    if (slice_eq(what, SLICE("campaign"))) return answer_campaign(in, request);
    if (slice_eq(what, SLICE("plan"))) return answer_plan(in, request);
    if (slice_eq(what, SLICE("course"))) return answer_course(asker, request);
    if (slice_eq(what, SLICE("send"))) return answer_send(asker, request);
    if (slice_eq(what, SLICE("backup"))) return answer_backup(in, request);
    if (slice_eq(what, SLICE("prune"))) return answer_prune(asker, request);
    if (slice_eq(what, SLICE("hands"))) return ctl_hands(asker, request);
    if (slice_eq(what, SLICE("orders"))) return ctl_orders(asker);
    if (slice_eq(what, SLICE("suppress"))) return ctl_suppress(in, request);
    if (slice_eq(what, SLICE("suppress-import"))) return answer_import(asker, request);
    if (slice_eq(what, SLICE("trace"))) return ctl_trace(asker, request);
    if (slice_eq(what, SLICE("queue"))) return ctl_queue(in, request);
    if (slice_eq(what, SLICE("lanes"))) return ctl_lanes(in, request);
    if (slice_eq(what, SLICE("explain"))) return ctl_explain(in, request);
    if (slice_eq(what, SLICE("hold")) || slice_eq(what, SLICE("resume")) || slice_eq(what, SLICE("cancel")))
        return answer_change(asker, request, what);
    err_set(&err, ERR_INPUT, "this server does not know the request '%.*s'",
            what.len > 40 ? 40 : (int)what.len, what.len ? what.at : "");
    return talk_refusal(&err);
}
