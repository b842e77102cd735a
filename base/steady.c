/* One step for each reading, however long ago the last one was. */
#include "steady.h"

static wall_us within(wall_us at, wall_us wall) {
    return at > wall + STEADY_MOST ? wall + STEADY_MOST : at < wall - STEADY_MOST ? wall - STEADY_MOST : at;
}

void steady_init(struct steady *s, mono_us boot, wall_us wall, wall_us known) {
    *s = (struct steady){.boot = boot, .at = within(known > wall ? known : wall, wall)};
}

wall_us steady_read(struct steady *s, mono_us boot, wall_us wall) {
    int64_t passed = boot > s->boot ? boot - s->boot : 0;
    s->boot = boot;
    s->at += passed;
    int64_t ahead = s->at - wall;
    if (ahead > 0)
        s->at -= ahead < passed / 2 ? ahead : passed / 2;
    else
        s->at += -ahead < passed ? -ahead : passed;
    s->at = within(s->at, wall);
    return s->at;
}
