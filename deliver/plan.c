/* When a campaign will be through: the numbers for lanes/forecast.h. */
#include "owner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_US (10 * US_PER_SEC)

/* What the lane does at present, else what it is known to take. */
static double rate_of(struct lane *lane, mono_us now, bool *measured) {
    struct learn_state state;
    double rate = learn_rate(&lane->learn, NOW_US, now);
    *measured = rate > 0.01;
    if (*measured) return rate;
    learn_explain(&lane->learn, &state, now);
    return state.limit[LEARN_RATE];
}

static const struct campaign *campaign_of(const struct share *s) {
    return s->pair.whose;
}

static void plan_lane(const struct engine *e, struct lane *lane, const struct campaign *c, double within,
                      struct plan_lane *out) {
    size_t count = 0, of = 0;
    for (const struct share *s = lane->shares; s; s = s->next)
        count++;
    struct forecast_flow *flows = calloc(count + 1, sizeof *flows);
    if (!flows) abort();
    count = 0;
    *out = (struct plan_lane){0};
    for (const struct share *s = lane->shares; s; s = s->next) {
        if (!s->waiting) continue;
        const struct campaign_row *row = &campaign_of(s)->row;
        if (campaign_of(s) == c) of = count;
        flows[count++] =
            (struct forecast_flow){row->tenant, row->course.priority,
                                   row->course.weight ? row->course.weight : WEIGHT_DEFAULT, s->waiting};
        *(campaign_of(s) == c ? &out->waiting : &out->others) += s->waiting;
    }
    snprintf(out->provider, sizeof out->provider, "%s", lane->name);
    snprintf(out->source, sizeof out->source, "%.63s", e->options.sources[lane->source].name);
    out->rate = rate_of(lane, loop_now(e->loop), &out->measured);
    out->seconds = forecast_empty(flows, count, of, out->rate);
    out->help = forecast_help(flows, count, of, out->rate, within);
    free(flows);
}

/* Among those kept, the last to be through first; those whose time is not known before all. */
static void keep(struct plan *plan, const struct plan_lane *lane) {
    size_t at = plan->count < PLAN_LANES ? plan->count : PLAN_LANES - 1;
    plan->count++;
    if (plan->count > PLAN_LANES && plan->lanes[at].seconds >= lane->seconds) return;
    for (; at > 0 && plan->lanes[at - 1].seconds < lane->seconds; at--)
        plan->lanes[at] = plan->lanes[at - 1];
    plan->lanes[at] = *lane;
}

int plan_make(struct engine *e, const struct campaign *c, struct plan *plan) {
    wall_us now = time_now(e);
    double within =
        c->row.course.deadline ? (double)(c->row.course.deadline - now) / (double)US_PER_SEC : INFINITY;
    plan->made = clock_wall();
    for (struct lane *lane = e->backlog.lanes; lane; lane = lane->next) {
        struct share *s = (struct share *)pairs_find(&e->backlog.pairs, lane, c);
        struct plan_lane out;
        if (!s || !s->waiting) continue;
        plan_lane(e, lane, c, within, &out);
        plan->waiting += out.waiting;
        if (isinf(out.seconds))
            plan->unknown += out.waiting;
        else if (out.seconds > plan->seconds)
            plan->seconds = out.seconds;
        keep(plan, &out);
    }
    uint64_t known = plan->waiting + c->leased + c->row.tally.deferred,
             pending = tally_pending(&c->row.tally);
    plan->unplaced = pending > known ? pending - known : 0;
    return 0;
}
