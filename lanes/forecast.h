/* When a campaign will be through in a lane, if all goes on as it is now. Pure.
 *
 * What waits is thought of as a fluid: the lane takes `rate` recipients a second; transactional ones first,
 * and those of a priority share as flows.h says, each until it is empty. What is deferred, or comes later, is
 * not in it: so it is the earliest time, not a promise. */
#ifndef TSUBAME_FORECAST_H
#define TSUBAME_FORECAST_H

#include "row.h"

struct forecast_flow {
    uint32_t tenant;
    enum campaign_priority priority;
    uint32_t weight; /* 1 to WEIGHT_MOST */
    uint64_t waiting;
};

/* Seconds until flows[of] is empty; INFINITY when rate is 0. O(count^3) at worst. */
double forecast_empty(const struct forecast_flow *flows, size_t count, size_t of, double rate);

/* What would bring it to its deadline? The first of these that does. */
enum forecast_help {
    FORECAST_GOOD,     /* nothing: it will be in time */
    FORECAST_WEIGHT,   /* the largest weight */
    FORECAST_PRIORITY, /* being transactional */
    FORECAST_MORE,     /* not even the whole lane would do: more sources, fewer recipients, or time */
    FORECAST_UNKNOWN   /* the lane's rate is not known */
};
/* within: seconds from now to the deadline. */
enum forecast_help forecast_help(const struct forecast_flow *flows, size_t count, size_t of, double rate,
                                 double within);

#endif
