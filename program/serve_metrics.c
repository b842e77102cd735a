/* Counters of the engine, the store and the history under their public names. */
#include "serve_metrics.h"

#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LANES_MOST = 2000, CAMPAIGNS_MOST = 1000, ENDED_SHOWN = 20 };

static void put_engine(const struct engine_counters *c, struct buf *out) {
    const struct {
        const char *outcome;
        uint64_t count;
    } outcomes[] = {{"delivered", c->delivered},
                    {"deferred", c->deferred},
                    {"failed", c->failed},
                    {"uncertain", c->uncertain},
                    {"returned", c->returned}};
    metrics_head(out, "tsubame_attempts_total", "counter", "Attempts by outcome since the start.");
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        metrics_sample(out, "tsubame_attempts_total", (double)outcomes[i].count, "outcome",
                       outcomes[i].outcome, NULL);
    metrics_one(out, "tsubame_sessions_open", "gauge", "SMTP sessions open now.", (double)c->sessions_open);
    metrics_one(out, "tsubame_sessions_opened_total", "counter", "SMTP sessions begun.",
                (double)c->sessions_opened);
    metrics_one(out, "tsubame_sessions_failed_total", "counter", "SMTP sessions that came to nothing.",
                (double)c->sessions_failed);
    metrics_one(out, "tsubame_dns_queries_total", "counter", "Look-ups of mail exchangers.",
                (double)c->dns_queries);
    metrics_one(out, "tsubame_chunks_open", "gauge", "Chunks at work.", (double)c->chunks_open);
    metrics_one(out, "tsubame_retries_waiting", "gauge", "Recipients from the retry table at work.",
                (double)c->retries_waiting);
    metrics_one(out, "tsubame_ledger_blocks_total", "counter", "Event blocks written.", (double)c->blocks);
    metrics_one(out, "tsubame_ledger_block_bytes_total", "counter", "Bytes of event blocks written.",
                (double)c->block_bytes);
    metrics_one(out, "tsubame_stalled", "gauge", "1 while commits fail and nothing new is sent.", c->stalled);
}

static void put_suppression(const struct engine_counters *c, struct buf *out) {
    metrics_one(out, "tsubame_suppressed_total", "counter",
                "Recipients on the suppression list, not sent to.", (double)c->suppressed);
    metrics_head(out, "tsubame_suppression_added_total", "counter",
                 "Addresses put on the suppression list, by reason.");
    for (int i = 1; i < SUPPRESS_REASONS; i++)
        metrics_sample(out, "tsubame_suppression_added_total", (double)c->suppress_added[i], "reason",
                       suppress_reason_name((enum suppress_reason)i), NULL);
    metrics_one(out, "tsubame_suppression_entries", "gauge", "Addresses on the suppression list.",
                (double)c->suppress_listed);
    metrics_one(out, "tsubame_suppression_counted", "gauge",
                "Addresses that failed and are not on the suppression list yet.",
                (double)c->suppress_counted);
    metrics_one(out, "tsubame_suppression_lookups_total", "counter",
                "Questions for the list that its filter could not answer.", (double)c->suppress_asked);
}

static void put_store(struct instance *in, struct buf *out) {
    static const char *const states[] = {"fine", "low", "stuck"};
    struct store_stats s;
    struct store_health h;
    store_stats(in->store, &s);
    store_health(in->store, &h);
    metrics_one(out, "tsubame_store_commits_total", "counter", "Commits of the ledger.", (double)s.commits);
    metrics_one(out, "tsubame_store_batches_total", "counter", "Batches in these commits.",
                (double)s.batches);
    metrics_one(out, "tsubame_store_bytes_total", "counter", "Bytes of keys and values committed.",
                (double)s.bytes);
    metrics_one(out, "tsubame_store_commit_seconds_total", "counter", "Time in commits, syncing included.",
                (double)s.commit_us / 1e6);
    metrics_one(out, "tsubame_store_retries_total", "counter", "Commits that failed and were tried again.",
                (double)s.retries);
    metrics_one(out, "tsubame_store_waiting", "gauge", "Batches that wait for a commit.", (double)s.waiting);
    metrics_head(out, "tsubame_store_state", "gauge", "1 for the state that the store is in.");
    for (int i = 0; i < 3; i++)
        metrics_sample(out, "tsubame_store_state", (int)h.state == i, "state", states[i], NULL);
}

static void put_history(struct instance *in, struct buf *out) {
    struct projector_stats s;
    struct err error;
    projector_stats(in->projector, &s, &error);
    uint64_t newest = engine_committed(in->engine);
    metrics_one(out, "tsubame_history_behind_blocks", "gauge",
                "Blocks that the history has not (wholly) got.",
                newest > s.cursor ? (double)(newest - s.cursor) : 0);
    metrics_one(out, "tsubame_history_events_total", "counter", "Events read for the history.",
                (double)s.events);
    metrics_one(out, "tsubame_history_rows_total", "counter", "Rows written to the history.", (double)s.rows);
    metrics_one(out, "tsubame_history_failures_total", "counter", "Turns of the projector that failed.",
                (double)s.failures);
    metrics_one(out, "tsubame_history_gathered_bytes", "gauge", "Outcomes gathered and not written yet.",
                (double)s.gathered_bytes);
}

static void put_campaign(const struct campaign_status *c, struct buf *out) {
    char id[16];
    const struct tally *t = &c->tally;
    const struct {
        const char *state;
        uint64_t count;
    } all[] = {{"delivered", t->delivered}, {"failed", t->failed},   {"suppressed", t->suppressed},
               {"cancelled", t->cancelled}, {"expired", t->expired}, {"pending", tally_pending(t)},
               {"uncertain", t->uncertain}};
    snprintf(id, sizeof id, "%" PRIu32, c->id);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        metrics_sample(out, "tsubame_campaign_recipients", (double)all[i].count, "campaign", id, "name",
                       c->name, "state", all[i].state, NULL);
}

/* Those under way, and the newest that ended: labels must not grow for ever. */
static void put_campaigns(struct instance *in, struct buf *out) {
    struct campaign_status *all = calloc(CAMPAIGNS_MOST, sizeof *all);
    size_t n = all ? engine_campaigns(in->engine, all, CAMPAIGNS_MOST) : 0;
    unsigned ended = 0;
    metrics_head(out, "tsubame_campaign_recipients", "gauge", "Recipients of a campaign by state.");
    for (size_t i = 0; i < n && i < CAMPAIGNS_MOST; i++)
        if (!all[i].ended || ended++ < ENDED_SHOWN) put_campaign(&all[i], out);
    free(all);
}

static void put_lane_metric(const struct lane_status *lanes, size_t n, const char *name, const char *type,
                            const char *help, double (*value)(const struct lane_status *l), struct buf *out) {
    metrics_head(out, name, type, help);
    for (size_t i = 0; i < n; i++)
        metrics_sample(out, name, value(&lanes[i]), "provider", lanes[i].provider, NULL);
}

static double lane_sessions(const struct lane_status *l) {
    return l->sessions;
}
static double lane_waiting(const struct lane_status *l) {
    return l->waiting;
}
static double lane_delivered(const struct lane_status *l) {
    return (double)l->delivered;
}
static double lane_deferred(const struct lane_status *l) {
    return (double)l->deferred;
}
static double lane_failed(const struct lane_status *l) {
    return (double)l->failed;
}
static double lane_down(const struct lane_status *l) {
    return l->down;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct lane_status *)a)->provider, ((const struct lane_status *)b)->provider);
}

/* Lanes of several sources to one provider have one name: one sample each is all that Prometheus takes. */
static size_t merge_lanes(struct lane_status *lanes, size_t n) {
    size_t kept = 0;
    if (n) qsort(lanes, n, sizeof *lanes, by_name);
    for (size_t i = 0; i < n; i++) {
        struct lane_status *last = kept ? &lanes[kept - 1] : NULL;
        if (!last || strcmp(last->provider, lanes[i].provider) != 0) {
            lanes[kept++] = lanes[i];
            continue;
        }
        last->sessions += lanes[i].sessions;
        last->waiting += lanes[i].waiting;
        last->delivered += lanes[i].delivered;
        last->deferred += lanes[i].deferred;
        last->failed += lanes[i].failed;
        last->down = last->down && lanes[i].down;
    }
    return kept;
}

static void put_lanes(struct instance *in, struct buf *out) {
    struct lane_status *lanes = calloc(LANES_MOST, sizeof *lanes);
    size_t n = lanes ? engine_lanes(in->engine, lanes, LANES_MOST) : 0;
    n = merge_lanes(lanes, n < LANES_MOST ? n : LANES_MOST);
    put_lane_metric(lanes, n, "tsubame_lane_sessions", "gauge", "Open sessions.", lane_sessions, out);
    put_lane_metric(lanes, n, "tsubame_lane_waiting", "gauge", "Recipients known to wait.", lane_waiting,
                    out);
    put_lane_metric(lanes, n, "tsubame_lane_delivered_total", "counter", "Delivered.", lane_delivered, out);
    put_lane_metric(lanes, n, "tsubame_lane_deferred_total", "counter", "Refused for now.", lane_deferred,
                    out);
    put_lane_metric(lanes, n, "tsubame_lane_failed_total", "counter", "Refused for good.", lane_failed, out);
    put_lane_metric(lanes, n, "tsubame_lane_paused", "gauge", "1 while nothing is sent there.", lane_down,
                    out);
    free(lanes);
}

static void put_sources(struct instance *in, struct buf *out) {
    size_t n = in->options->sources.count;
    struct source_status *all = calloc(n + 1, sizeof *all);
    n = all ? engine_sources(in->engine, all, n) : 0;
    metrics_head(out, "tsubame_source_down", "gauge", "1 while a source's proxy does not work.");
    for (size_t i = 0; i < n; i++)
        if (all[i].proxied)
            metrics_sample(out, "tsubame_source_down", all[i].down, "source", all[i].name, NULL);
    metrics_head(out, "tsubame_source_proxy_failures_total", "counter",
                 "SMTP sessions that a source's proxy failed.");
    for (size_t i = 0; i < n; i++)
        if (all[i].proxied)
            metrics_sample(out, "tsubame_source_proxy_failures_total", (double)all[i].failed, "source",
                           all[i].name, NULL);
    free(all);
}

void serve_metrics(void *ctx, struct buf *out) {
    struct instance *in = ctx;
    struct engine_counters c;
    engine_counters(in->engine, &c);
    metrics_head(out, "tsubame_build_info", "gauge", "The version, as a label.");
    metrics_sample(out, "tsubame_build_info", 1, "version", TSUBAME_VERSION, NULL);
    put_engine(&c, out);
    put_suppression(&c, out);
    put_store(in, out);
    put_history(in, out);
    put_campaigns(in, out);
    put_lanes(in, out);
    put_sources(in, out);
    metrics_process(out);
}
