/* Why a lane is as fast as it is, in a sentence or two. */
#include "buf.h"
#include "learn.h"

struct sentence {
    const struct learn_state *state;
    struct buf *out;
    wall_us wall;
    mono_us now;
};

static void put_number(struct buf *out, double n) {
    if (n >= 100 || n == (double)(int64_t)n)
        buf_printf(out, "%.0f", n);
    else
        buf_printf(out, n >= 10 ? "%.1f" : "%.2f", n);
}

/* "14:02", or "2026-11-20 14:02" on another day. */
static void put_time(const struct sentence *s, mono_us at) {
    char then[CLOCK_TEXT_MAX], today[CLOCK_TEXT_MAX];
    clock_rfc3339(s->wall + (at - s->now), then);
    clock_rfc3339(s->wall, today);
    if (memcmp(then, today, 10) != 0) buf_printf(s->out, "%.10s ", then);
    buf_printf(s->out, "%.5s", then + 11);
}

static void put_time_span(struct buf *out, double seconds) {
    if (seconds < 120)
        buf_printf(out, "%.0f s", seconds);
    else if (seconds < 7200)
        buf_printf(out, "%.0f minutes", seconds / 60);
    else
        buf_printf(out, "%.0f hours", seconds / 3600);
}

static void put_words(struct buf *out, const struct learn_why *why) {
    buf_printf(out, "\"%d ", why->code);
    for (const char *c = why->words; *c; c++)
        if ((unsigned char)*c >= ' ' && *c != 0x7f && *c != '"') buf_put_c(out, *c);
    buf_put_c(out, '"');
}

static const char *unit(enum learn_dimension d) {
    switch (d) {
    case LEARN_CONNECTIONS: return " connections at a time";
    case LEARN_RATE: return " messages a second";
    case LEARN_PER_CONNECTION: return " messages in a connection";
    case LEARN_NEW_CONNECTIONS: return " new connections a minute";
    case LEARN_QUOTA: return " messages a day";
    default: return "";
    }
}

static void put_because(const struct sentence *s) {
    const struct learn_why *why = s->state->why;
    if (!why) return;
    switch (why->cause) {
    case LEARN_BY_REPLY:
        buf_put_text(s->out,
                     s->state->limit[s->state->bound] > 0 ? ": more was refused at " : ": refused at ");
        put_time(s, why->at);
        buf_put_text(s->out, " with ");
        put_words(s->out, why);
        break;
    case LEARN_BY_SILENCE:
        buf_put_text(s->out, ": its server ended the connection or did not answer at ");
        put_time(s, why->at);
        break;
    case LEARN_BY_TRYING:
        buf_put_text(s->out, ": as much was tried and taken at ");
        put_time(s, why->at);
        break;
    case LEARN_BY_RETURN:
        buf_put_text(s->out, ": open again since ");
        put_time(s, why->at);
        break;
    case LEARN_BY_MEMORY: buf_put_text(s->out, ": known from before the start"); break;
    case LEARN_BY_LATENCY:
        buf_put_text(s->out, ": answers came slower at ");
        put_time(s, why->at);
        break;
    case LEARN_BY_DOUBT: buf_put_text(s->out, ": what was thought before was refuted"); break;
    }
    if (why->cause != LEARN_BY_REPLY && why->code > 0 && why->words[0]) {
        buf_put_text(s->out, "; before that it said ");
        put_words(s->out, why);
    }
}

static void put_next(const struct sentence *s) {
    const struct learn_state *state = s->state;
    if (state->next_try == NEVER) return;
    buf_put_text(s->out, " Next try");
    if (state->bound < LEARN_PAUSE && state->next_value > 0) {
        buf_put_text(s->out, " with ");
        put_number(s->out, state->next_value);
    }
    if (state->next_try <= s->now) {
        buf_put_text(s->out, " now.");
        return;
    }
    buf_put_text(s->out, " at ");
    put_time(s, state->next_try);
    buf_put_c(s->out, '.');
}

/* What else is known and kept, though it is not what bounds the lane. */
static void put_others(const struct sentence *s) {
    bool first = true;
    for (int d = LEARN_CONNECTIONS; d <= LEARN_QUOTA; d++) {
        if (d == (int)s->state->bound || s->state->limit[d] <= 0) continue;
        buf_put_text(s->out, first ? " Also known: " : ", ");
        put_number(s->out, s->state->limit[d]);
        buf_put_text(s->out, unit((enum learn_dimension)d));
        first = false;
    }
    if (!first) buf_put_c(s->out, '.');
}

static void put_bound(const struct sentence *s, struct slice provider, struct slice source) {
    const struct learn_state *state = s->state;
    enum learn_dimension d = state->bound;
    bool shut = d == LEARN_PAUSE || d == LEARN_REFUSED || d == LEARN_OUTAGE ||
                (d == LEARN_RATE && state->kept[d] == 0);
    buf_put_slice(s->out, provider);
    if (d == LEARN_PAUSE) {
        buf_put_text(s->out, " asked to be left alone by ");
    } else if (d == LEARN_OUTAGE) {
        buf_put_text(s->out, " can't be reached from ");
    } else if (shut) {
        buf_put_text(s->out, " takes nothing from ");
    } else if (state->limit[d] <= 0) {
        buf_put_text(s->out, " has shown no limit of");
        buf_put_text(s->out, unit(d));
        buf_put_text(s->out, " yet to ");
    } else {
        buf_put_text(s->out, " takes ");
        put_number(s->out, state->limit[d]);
        buf_put_text(s->out, unit(d));
        bool own = d == LEARN_CONNECTIONS ? state->by_host : d == LEARN_RATE && state->rate_by_host;
        buf_put_text(s->out, own ? " (each host counts its own) from " : " from ");
    }
    buf_put_slice(s->out, source);
    if (d > LEARN_QUOTA && state->limit[d] > 0) {
        buf_put_text(s->out, " (for ");
        put_time_span(s->out, state->limit[d]);
        buf_put_c(s->out, ')');
    }
}

void learn_sentence(const struct learn_state *state, struct slice provider, struct slice source, wall_us wall,
                    mono_us now, struct buf *out) {
    struct sentence s = {.state = state, .out = out, .wall = wall, .now = now};
    if (state->bound == LEARN_NOTHING) {
        buf_put_text(out, "Nothing that is known of ");
        buf_put_slice(out, provider);
        buf_put_text(out, " holds ");
        buf_put_slice(out, source);
        buf_put_text(out, " back: it is as fast as its work and its connections.");
    } else {
        put_bound(&s, provider, source);
        put_because(&s);
        buf_put_c(out, '.');
        put_next(&s);
    }
    put_others(&s);
}
