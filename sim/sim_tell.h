/* The statistics of a run, told to a file in intervals, on demand, and at the end. */
#ifndef TSUBAME_SIM_TELL_H
#define TSUBAME_SIM_TELL_H

#include "sim_loop.h"
#include "sim_world.h"

#include <stdio.h>

struct sim_teller {
    struct sim_timer timer; /* first */
    struct sim_world *world;
    struct sim_loop *loop;
    FILE *file; /* NULL: none */
    double every_s;
};

/* path: JSON lines are appended, one for each active provider every every_s simulated seconds; NULL for none.
 */
int sim_teller_open(struct sim_teller *t, struct sim_loop *l, struct sim_world *w, const char *path,
                    double every_s, struct err *err);
/* The whole run up to now: lines of the kind "run" to the file, a table to `to`. */
void sim_teller_now(struct sim_teller *t, FILE *to);
/* The last interval, and the whole run. -1 with err when the file can't be written. */
int sim_teller_close(struct sim_teller *t, struct err *err);

/* All that the run did, as a table of totals or a JSON object on stdout. */
void sim_tell_totals(struct sim_world *w, uint64_t dns_queries, bool json);

#endif
