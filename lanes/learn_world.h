/* For tests of learn: a server with hidden limits and an engine that sends to it, over simulated time. */
#ifndef TSUBAME_LEARN_WORLD_H
#define TSUBAME_LEARN_WORLD_H

#include "learn.h"

enum world_close { CLOSE_421, CLOSE_STAYS, CLOSE_SILENT };
enum world_count { COUNT_FIXED, COUNT_SLIDING, COUNT_BUCKET };

/* A server. 0: no such limit. */
struct world_limits {
    uint32_t connections; /* of all hosts together */
    uint32_t host_connections[LEARN_HOSTS];
    double rate, burst;        /* messages a second, and at once */
    double window_s, window_n; /* so many in a window */
    enum world_count window;   /* fixed or sliding */
    uint32_t per_connection;
    enum world_close close; /* what happens to one more */
    double new_a_minute;
    enum world_count new_count;
    double quota;                   /* a day, from midnight */
    double chance;                  /* share of messages refused by chance */
    double greylisted, unknown;     /* shares */
    double unknown_hurts;           /* with so much of unknown users the rate is halved */
    double outage_from, outage_for; /* s */
    double ban_s;  /* after a refused connection all are refused for so long, from the last knock on */
    bool generic;  /* its words say nothing */
    bool hangs_up; /* 421 and the end, for rates too */
    double changes_at, factor; /* s: all limits */
};

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
    unsigned connections; /* that our side opens at most; 0: 20 */
};

struct world_result {
    double use;         /* of the capacity, in the second half */
    double deferred;    /* of all messages answered: refused by a limit */
    double turned;      /* of all attempts to connect: refused */
    double first_s;     /* until 80 % of the capacity for 10 s; -1: never */
    double moved_s;     /* from the change until within 10 % of it */
    double moved_n;     /* the same in messages */
    double concurrency; /* mean */
    uint64_t delivered, refused, attempts;
    double named; /* share of looks at which explain named the cause */
    uint64_t events;
    double rate; /* messages a second in the second half */
};

void world_run(const struct world_case *c, uint64_t seed, bool verbose, struct world_result *r);

#endif
