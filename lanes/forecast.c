/* A fluid that runs off by shares. */
#include "forecast.h"

#include <math.h>
#include <stdlib.h>

/* The share of each among those of the highest priority that has something left; 0 for all others. */
static void shares_of(const struct forecast_flow *flows, const double *left, size_t count, double *share) {
    enum campaign_priority first = PRIORITY_BULK;
    double total = 0;
    for (size_t i = 0; i < count; i++)
        if (left[i] > 0 && flows[i].priority > first) first = flows[i].priority;
    for (size_t i = 0; i < count; i++) {
        double tenant = 0;
        share[i] = 0;
        if (left[i] <= 0 || flows[i].priority != first) continue;
        for (size_t k = 0; k < count; k++)
            if (left[k] > 0 && flows[k].priority == first && flows[k].tenant == flows[i].tenant)
                tenant += flows[k].weight;
        share[i] = flows[i].weight / tenant;
        total += share[i]; /* each tenant's add up to 1 */
    }
    for (size_t i = 0; i < count && total > 0; i++)
        share[i] /= total;
}

double forecast_empty(const struct forecast_flow *flows, size_t count, size_t of, double rate) {
    double passed = 0;
    if (flows[of].waiting == 0) return 0;
    if (rate <= 0) return INFINITY;
    double *left = calloc(2 * count, sizeof *left), *share = left + count;
    if (!left) abort();
    for (size_t i = 0; i < count; i++)
        left[i] = (double)flows[i].waiting;
    while (left[of] > 0) { /* until the next one is empty: each round ends one at least */
        double step = INFINITY;
        size_t ends = of;
        shares_of(flows, left, count, share);
        for (size_t i = 0; i < count; i++)
            if (share[i] > 0 && left[i] / (rate * share[i]) < step) {
                step = left[i] / (rate * share[i]);
                ends = i;
            }
        passed += step;
        for (size_t i = 0; i < count; i++)
            left[i] -= share[i] * rate * step;
        left[ends] = 0; /* whatever the rounding */
    }
    free(left);
    return passed;
}

static bool in_time(const struct forecast_flow *flows, size_t count, size_t of, double rate, double within,
                    uint32_t weight, enum campaign_priority priority) {
    struct forecast_flow *copy = malloc(count * sizeof *copy);
    if (!copy) abort();
    for (size_t i = 0; i < count; i++)
        copy[i] = flows[i];
    copy[of].weight = weight;
    copy[of].priority = priority;
    bool good = forecast_empty(copy, count, of, rate) <= within;
    free(copy);
    return good;
}

enum forecast_help forecast_help(const struct forecast_flow *flows, size_t count, size_t of, double rate,
                                 double within) {
    const struct forecast_flow *f = &flows[of];
    if (f->waiting && rate <= 0) return FORECAST_UNKNOWN;
    if (in_time(flows, count, of, rate, within, f->weight, f->priority)) return FORECAST_GOOD;
    if (in_time(flows, count, of, rate, within, WEIGHT_MOST, f->priority)) return FORECAST_WEIGHT;
    if (in_time(flows, count, of, rate, within, f->weight, PRIORITY_TRANSACTIONAL)) return FORECAST_PRIORITY;
    return FORECAST_MORE;
}
