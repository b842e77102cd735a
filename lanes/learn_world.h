/* For tests of learn: a server with hidden limits and an engine that sends to it, over simulated time. */
#ifndef TSUBAME_LEARN_WORLD_H
#define TSUBAME_LEARN_WORLD_H

#include "learn_server.h"

struct world_case {
    const char *family, *name;
    struct world_limits limits;
    double rtt_ms;
    unsigned depth; /* messages under way in a connection */
    unsigned hosts; /* 0: one */
    double hours;
    double capacity; /* messages a second, in the steady state; 0: by connections */
    enum learn_dimension cause;
    double slack;         /* the goal of use; 0: 0.95 */
    double deferred_most; /* 0: 1 %, or 3 % where it changes */
    struct learn_profile profile;
    unsigned connections;  /* that our side opens at most; 0: 20 */
    double jitter;         /* of a round trip; 0: a tenth */
    double timeout_s;      /* of an answer; 0: 60 */
    double retry_s;        /* of who was greylisted; 0: 300 */
    double busy_s, idle_s; /* work comes and goes; 0: there is always some */
    double batch, batch_s; /* so many messages come at once, that far apart; 0: as many as are taken */
    double batch_most;     /* s: the slowest of them after the first minute may take that long; 0: any time */
    double first_most;     /* s: first_s may be that much; 0: any */
};

struct world_result {
    double use;         /* of the capacity, in the second half */
    double deferred;    /* of all messages answered: refused by a limit */
    double turned;      /* of all attempts to connect: refused */
    double first_s;     /* until 80 % of the capacity for 10 s; -1: never */
    double moved_s;     /* from the change until within 10 % of it */
    double moved_n;     /* the same in messages */
    double concurrency; /* mean */
    double batch_s;     /* the slowest batch after the first minute; -1: none */
    uint64_t delivered, refused, attempts;
    double named; /* share of looks at which explain named the cause */
    uint64_t events;
    double rate;      /* messages a second in the second half */
    double latency_s; /* mean of an answer, in the second half */
};

void world_run(const struct world_case *c, uint64_t seed, bool verbose, struct world_result *r);

#endif
