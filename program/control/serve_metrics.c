/* Counters of the engine, the store and the history under their public names. */
#include "serve_metrics.h"
#include "version.h"

#include "metrics.h"
#include "segment.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { LANES_MOST = 8192, CAMPAIGNS_MOST = 1000, ENDED_SHOWN = 20 };

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
    metrics_one(out, "tsubame_sessions_let_in_total", "counter", "SMTP sessions that the receiver let in.",
                (double)c->sessions_let_in);
    metrics_one(out, "tsubame_sessions_tls_total", "counter", "Of those let in, the ones under TLS.",
                (double)c->sessions_tls);
    metrics_one(out, "tsubame_dns_failures_total", "counter",
                "Look-ups without an answer, or with a forged one.", (double)c->dns_failures);
    metrics_one(out, "tsubame_owner_lag_seconds", "gauge",
                "How late the scheduling thread came to its work, the worst of the last half minute.",
                (double)c->lag_us / 1e6);
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

static double file_bytes(const char *dir, const char *name) {
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path || stat(path, &st)) return 0;
    return (double)st.st_blocks * 512;
}

/* What the store takes on the disk, and what is left there. */
static void put_disk(struct instance *in, struct buf *out) {
    const char *dir = store_dir(in->store);
    struct statvfs fs;
    uint64_t segments = 0;
    struct err ignored;
    const struct {
        const char *part;
        double bytes;
    } parts[] = {{"ledger", file_bytes(dir, "ledger.mdb")},
                 {"history", file_bytes(dir, "history.db") + file_bytes(dir, "history.db-wal")},
                 {"segments", segment_bytes(in->store, &segments, &ignored) ? 0 : (double)segments},
                 {"reserve", file_bytes(dir, "reserve")}};
    metrics_head(out, "tsubame_store_disk_bytes", "gauge", "What the store takes on the disk, by part.");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        metrics_sample(out, "tsubame_store_disk_bytes", parts[i].bytes, "part", parts[i].part, NULL);
    if (statvfs(dir, &fs)) return;
    metrics_one(out, "tsubame_store_free_bytes", "gauge", "Free on the disk of the store.",
                (double)fs.f_bavail * (double)fs.f_frsize);
    metrics_one(out, "tsubame_store_reserve_bytes", "gauge",
                "store.reserve: below so much free, campaigns are refused.",
                (double)in->options->store.reserve);
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

/* All that waits, wherever it is to go. A held campaign waits for a person, so its age says nothing. */
static void put_backlog(const struct campaign_status *all, size_t n, struct buf *out) {
    uint64_t pending = 0, deferred = 0, uncertain = 0, under_way = 0, held = 0;
    wall_us oldest = 0, now = clock_wall();
    for (size_t i = 0; i < n; i++) {
        uncertain += all[i].tally.uncertain;
        if (all[i].ended || all[i].state == CAMPAIGN_LOADING) continue;
        under_way++;
        held += all[i].state == CAMPAIGN_HELD;
        if (all[i].state == CAMPAIGN_HELD) continue;
        pending += tally_pending(&all[i].tally);
        deferred += all[i].deferred;
        if (all[i].ready && (!oldest || all[i].ready < oldest)) oldest = all[i].ready;
    }
    metrics_one(out, "tsubame_campaigns_under_way", "gauge",
                "Campaigns that have not ended, the held ones too.", (double)under_way);
    metrics_one(out, "tsubame_campaigns_held", "gauge", "Campaigns that are held.", (double)held);
    metrics_one(out, "tsubame_backlog_recipients", "gauge",
                "Recipients pending in campaigns under way, those held left out.", (double)pending);
    metrics_one(out, "tsubame_backlog_deferred", "gauge", "Of these, the ones that wait for another attempt.",
                (double)deferred);
    metrics_one(out, "tsubame_backlog_oldest_seconds", "gauge",
                "Since when the oldest of these campaigns has been under way; 0: there is none.",
                oldest && now > oldest ? (double)(now - oldest) / 1e6 : 0);
    metrics_one(out, "tsubame_uncertain_recipients", "gauge", "Recipients that are uncertain for good.",
                (double)uncertain);
}

/* Those under way, and the newest that ended: labels must not grow for ever. */
static void put_campaigns(struct instance *in, struct buf *out) {
    struct campaign_status *all = calloc(CAMPAIGNS_MOST, sizeof *all);
    size_t n = all ? engine_campaigns(in->engine, all, CAMPAIGNS_MOST) : 0;
    unsigned ended = 0;
    put_backlog(all, n < CAMPAIGNS_MOST ? n : CAMPAIGNS_MOST, out);
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

/* Lanes of several sources to one provider have one name: one sample each is all that Prometheus takes. Those
 * of no configured provider come and go with their exchangers: together they are "tail", so that labels stay
 * few. */
static size_t merge_lanes(struct lane_status *lanes, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (lanes[i].tail) snprintf(lanes[i].provider, sizeof lanes[i].provider, "tail");
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

/* What lanes counted that are gone is still in the engine's own sums. */
static void set_tail(struct lane_status *lanes, size_t n, const struct engine_counters *c) {
    for (size_t i = 0; i < n; i++) {
        if (!lanes[i].tail) continue;
        lanes[i].delivered = c->tail_delivered;
        lanes[i].deferred = c->tail_deferred;
        lanes[i].failed = c->tail_failed;
        if (!lanes[i].waiting && !lanes[i].sessions) lanes[i].down = false;
    }
}

/* There always is a tail: its counters must not come and go. */
static size_t add_tail(struct lane_status *lanes, size_t n) {
    lanes[n] = (struct lane_status){.provider = "tail", .tail = true, .down = true};
    return n + 1;
}

static void put_lanes(struct instance *in, const struct engine_counters *c, struct buf *out) {
    struct lane_status *lanes = calloc(LANES_MOST + 1, sizeof *lanes);
    if (!lanes) return;
    size_t n = engine_lanes(in->engine, NULL, lanes, LANES_MOST);
    n = merge_lanes(lanes, add_tail(lanes, n < LANES_MOST ? n : LANES_MOST));
    set_tail(lanes, n, c);
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
    metrics_sample(out, "tsubame_build_info", 1, "version", tsubame_version, NULL);
    put_engine(&c, out);
    put_suppression(&c, out);
    put_store(in, out);
    put_disk(in, out);
    put_history(in, out);
    put_campaigns(in, out);
    put_lanes(in, &c, out);
    put_sources(in, out);
    metrics_process(out);
}
