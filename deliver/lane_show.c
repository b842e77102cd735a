/* A lane for people: what it does now, what holds it back and since when; and the word when that changes. */
#include "owner.h"

#include "log.h"

#include <stdio.h>

#define NOW_US (10 * US_PER_SEC)

void lane_changed(struct engine *e, struct lane *lane, const struct learn_change *change) {
    char from[32], to[32];
    remembering_changed(e, lane, change);
    if (!log_on(LOG_LEVEL_INFO)) return;
    snprintf(from, sizeof from, "%.4g", change->from);
    snprintf(to, sizeof to, "%.4g", change->to);
    log_begin(LOG_LEVEL_INFO, "lane-limit");
    log_text("provider", lane->name);
    log_text("source", e->options.sources[lane->source].name);
    log_text("dimension", learn_dimension_name(change->dimension));
    log_text("from", from);
    log_text("to", to);
    log_text("cause", learn_cause_name(change->cause));
    if (change->code) log_number("code", change->code);
    if (change->words.len) log_slice("text", change->words);
    log_end();
}

static void explain(const struct engine *e, const struct lane *lane, const struct learn_state *state,
                    mono_us now, struct lane_status *out) {
    struct buf text;
    buf_init(&text, sizeof out->sentence - 1);
    learn_sentence(state, slice_of(lane->name), slice_of(e->options.sources[lane->source].name), clock_wall(),
                   now, &text);
    snprintf(out->sentence, sizeof out->sentence, "%.*s", (int)text.len, text.at ? text.at : "");
    buf_done(&text);
}

static void show_learned(const struct engine *e, struct lane *lane, mono_us now, struct lane_status *out) {
    struct learn_state state;
    wall_us wall = clock_wall();
    learn_explain(&lane->learn, &state, now);
    out->bound = state.bound;
    out->by_host = state.by_host;
    memcpy(out->limit, state.limit, sizeof out->limit);
    memcpy(out->kept, state.kept, sizeof out->kept);
    out->next_value = state.next_value;
    if (state.next_try != NEVER) out->next_try = wall + (state.next_try - now);
    if (state.why) {
        out->since.at = wall + (state.why->at - now);
        out->since.cause = state.why->cause;
        out->since.code = state.why->code;
        memcpy(out->since.words, state.why->words, sizeof out->since.words);
    }
    if (!lane->tail || state.bound != LEARN_NOTHING) explain(e, lane, &state, now, out);
}

static bool is_down(const struct engine *e, const struct lane *lane, mono_us now) {
    return lane->learn.gate.kind != LEARN_NOTHING || source_is_down(e, lane->source, now) ||
           (lane->turn && lane->turn->down_until > now);
}

void lane_show(struct engine *e, struct lane *lane, struct lane_status *out) {
    mono_us now = loop_now(e->loop);
    *out = (struct lane_status){.sessions = learn_sessions(&lane->learn),
                                .waiting = lane->waiting,
                                .suspended = lane->stopped,
                                .in_flight = lane->learn.in_flight,
                                .rate = learn_rate(&lane->learn, NOW_US, now),
                                .delivered = lane->delivered,
                                .deferred = lane->deferred,
                                .failed = lane->failed,
                                .tail = lane->tail,
                                .down = is_down(e, lane, now)};
    snprintf(out->provider, sizeof out->provider, "%s", lane->name);
    snprintf(out->source, sizeof out->source, "%s", e->options.sources[lane->source].name);
    snprintf(out->last_error, sizeof out->last_error, "%s", lane->last_error);
    show_learned(e, lane, now, out);
}
