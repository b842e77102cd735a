/* Counts that fade, and thresholds. */
#include "sim_reputation.h"

#include <math.h>

enum { HOUR_S = 3600 };

bool sim_reputation_on(const struct sim_reputation *r) {
    return r->slow > 0 || r->defer > 0 || r->block > 0 || r->unknown > 0;
}

static void fade(struct sim_standing *s, const struct sim_reputation *r, sim_us now) {
    if (now <= s->at) return;
    double left = exp2(-(double)(now - s->at) * 1e-6 / r->memory_s);
    s->recipients *= left;
    s->unknown *= left;
    s->traps *= left;
    s->at = now;
}

static void turn_hour(struct sim_standing *s, sim_us now) {
    int64_t hour = now / (HOUR_S * US_PER_SEC);
    for (int i = 0; s->hour < hour && i < 64; i++, s->hour++) {
        s->hours_before = (s->hours_before + s->this_hour) / 2;
        s->this_hour = 0;
    }
    s->hour = hour;
}

void sim_standing_note(struct sim_standing *s, const struct sim_reputation *r, enum sim_seen what,
                       sim_us now) {
    fade(s, r, now);
    turn_hour(s, now);
    s->recipients++;
    s->this_hour++;
    s->unknown += what == SIM_SEEN_UNKNOWN;
    s->traps += what == SIM_SEEN_TRAP;
}

static bool jumps(const struct sim_standing *s, const struct sim_reputation *r) {
    if (r->jump <= 0 || s->this_hour < r->jump_from) return false;
    return s->this_hour > r->jump * s->hours_before;
}

double sim_standing_bad(struct sim_standing *s, const struct sim_reputation *r, sim_us now) {
    fade(s, r, now);
    turn_hour(s, now);
    double bad = jumps(s, r) ? r->jump_weight : 0;
    if (s->recipients >= r->least && s->recipients > 0)
        bad += (s->unknown + r->trap_weight * s->traps) / s->recipients;
    return bad < 1 ? bad : 1;
}

enum sim_mood sim_standing_mood(struct sim_standing *s, const struct sim_reputation *r, sim_us now) {
    if (now < s->blocked_until) return SIM_MOOD_BLOCK;
    double bad = sim_standing_bad(s, r, now);
    if ((r->block > 0 && bad >= r->block) || (r->unknown && s->unknown >= r->unknown)) {
        s->blocked_until = now + (sim_us)(r->block_s * 1e6);
        s->recipients = s->unknown = s->traps = 0; /* served: it begins anew afterwards */
        return SIM_MOOD_BLOCK;
    }
    if (r->defer > 0 && bad >= r->defer) return SIM_MOOD_DEFER;
    return r->slow > 0 && bad >= r->slow ? SIM_MOOD_SLOW : SIM_MOOD_FINE;
}

bool sim_standing_take(struct sim_standing *s, const struct sim_reputation *r, sim_us now) {
    double most = r->slow_rate < 1 ? 1 : r->slow_rate;
    s->tokens += (double)(now - s->tokens_at) * 1e-6 * r->slow_rate;
    s->tokens_at = now;
    if (s->tokens > most) s->tokens = most;
    if (s->tokens < 1) return false;
    s->tokens--;
    return true;
}
