/* "seconds" is absent where they are not known. */
#include "plan_json.h"

#include <math.h>

static const char *help_name(enum forecast_help help) {
    switch (help) {
    case FORECAST_GOOD: return "none";
    case FORECAST_WEIGHT: return "weight";
    case FORECAST_PRIORITY: return "priority";
    case FORECAST_MORE: return "more";
    default: return "unknown";
    }
}

static void put_time(struct jdoc *o, const char *key, wall_us at) {
    char text[CLOCK_TEXT_MAX];
    int n = clock_rfc3339(at / US_PER_SEC * US_PER_SEC, text);
    jdoc_put_text(o, key, slice_make(text, (size_t)n));
}

static void put_lane(struct jdoc *o, const struct plan_lane *lane) {
    jdoc_put_text(o, "provider", slice_of(lane->provider));
    jdoc_put_text(o, "source", slice_of(lane->source));
    jdoc_put_number(o, "waiting", (int64_t)lane->waiting);
    jdoc_put_number(o, "others", (int64_t)lane->others);
    jdoc_put_real(o, "rate", lane->rate);
    jdoc_put_bool(o, "measured", lane->measured);
    if (!isinf(lane->seconds)) jdoc_put_real(o, "seconds", lane->seconds);
    jdoc_put_text(o, "help", slice_of(help_name(lane->help)));
}

void plan_json(struct jdoc *o, const struct plan *plan) {
    const struct campaign_status *c = &plan->campaign;
    bool whole = !plan->unplaced && !plan->unknown && c->state == CAMPAIGN_READY;
    wall_us through = plan->made + (wall_us)(plan->seconds * (double)US_PER_SEC);
    struct jdoc *list;
    jdoc_put_number(o, "id", c->id);
    jdoc_put_number(o, "pending", (int64_t)tally_pending(&c->tally));
    jdoc_put_number(o, "waiting", (int64_t)plan->waiting);
    jdoc_put_number(o, "unplaced", (int64_t)plan->unplaced);
    jdoc_put_number(o, "unknown", (int64_t)plan->unknown);
    jdoc_put_number(o, "deferred", (int64_t)c->deferred);
    jdoc_put_number(o, "lane_count", (int64_t)plan->count);
    if (whole) put_time(o, "through", through);
    if (c->course.deadline) {
        bool late = plan->seconds > 0 && through > c->course.deadline;
        put_time(o, "deadline", c->course.deadline);
        jdoc_put_text(o, "verdict", late ? SLICE("no") : whole ? SLICE("yes") : SLICE("unknown"));
    }
    list = jdoc_child_list(o, "lanes");
    for (size_t i = 0; i < plan->count && i < PLAN_LANES; i++)
        put_lane(jdoc_item_object(list), &plan->lanes[i]);
}
