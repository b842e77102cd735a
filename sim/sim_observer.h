/* What looks on when a mail is accepted: it may keep it, count it, and later answer it.
 *
 * An observer is put into the world before the run and outlives it. It is called once for each message, for
 * all its recipients together, before the answer goes out; what it is handed is gone when it returns. */
#ifndef TSUBAME_SIM_OBSERVER_H
#define TSUBAME_SIM_OBSERVER_H

#include "err.h"
#include "sim_clock.h"
#include "sim_names.h"

struct sim_mail {
    const struct sim_name *host; /* that took it */
    uint32_t client;             /* IPv4, host byte order */
    bool secure;
    wall_us real, simulated;
    struct slice from;
    const struct slice *rcpt;
    uint32_t rcpts;
    struct slice message_id; /* as it stood, with its brackets */
    struct slice content;    /* as sent, without the extra dots; only when an observer wants it */
};

struct sim_observer {
    bool wants_content;
    /* -1 with err ends the run: a simulator that forgets would lie. */
    int (*accepted)(struct sim_observer *o, const struct sim_mail *mail, struct err *err);
    struct sim_observer *next;
};

#endif
