/* Windows of time, once, again and again, or each day. */
#include "sim_window.h"

static bool open(const struct sim_window *w, sim_us at, wall_us wall) {
    int64_t since, begin = (int64_t)(w->at_s * 1e6), length = (int64_t)(w->for_s * 1e6);
    if (w->daily) {
        since = sim_clock_of_day(wall) - begin;
        return (since < 0 ? since + US_PER_DAY : since) < length;
    }
    since = at - begin;
    if (w->every_s > 0 && since >= 0) since %= (int64_t)(w->every_s * 1e6);
    return since >= 0 && since < length;
}

const struct sim_window *sim_window_now(const struct sim_provider *p, uint32_t host, sim_us at,
                                        wall_us wall) {
    for (size_t i = 0; i < p->windows; i++) {
        const struct sim_window *w = &p->window[i];
        bool concerned = !w->hosts || (host < SIM_HOSTS_MAX && w->hosts >> host & 1);
        if (concerned && open(w, at, wall)) return w;
    }
    return NULL;
}
