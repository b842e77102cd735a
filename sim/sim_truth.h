/* The log of the truth: what the fake internet accepted and refused, one line for each recipient.
 *
 * Tab-separated, UTF-8 as it came, control characters as '?'; the first line names the columns (docs/sim.md).
 * Lines are gathered and written by sim_truth_flush before any answer of the same turn goes out: what a
 * client was told is on file. */
#ifndef TSUBAME_SIM_TRUTH_H
#define TSUBAME_SIM_TRUTH_H

#include "buf.h"
#include "clock.h"
#include "err.h"

enum sim_event {
    SIM_EVENT_ACCEPTED,
    SIM_EVENT_UNANSWERED, /* accepted, but a fault kept the answer back or spoilt it */
    SIM_EVENT_UNKNOWN,    /* refused for good: no such user */
    SIM_EVENT_REFUSED,    /* refused for good for another reason */
    SIM_EVENT_DEFERRED,   /* refused for now */
    SIM_EVENT_FAULT,      /* a fault struck and nothing was kept */
    SIM_EVENT_WITHDRAWN,  /* accepted before, and thrown away now */
    SIM_EVENTS
};

/* Why something was refused. */
enum sim_cause {
    SIM_CAUSE_NONE,
    SIM_CAUSE_LIMIT, /* the first of the limits: add enum sim_limit */
    SIM_CAUSE_SIZE = SIM_CAUSE_LIMIT + 8,
    SIM_CAUSE_KNOCKING,
    SIM_CAUSE_GREYLIST,
    SIM_CAUSE_REPUTATION_SLOW,
    SIM_CAUSE_REPUTATION_DEFER,
    SIM_CAUSE_REPUTATION_BLOCK,
    SIM_CAUSE_MAINTENANCE,
    SIM_CAUSE_FAULT,
    SIM_CAUSE_CHANCE,
    SIM_CAUSE_CONTENT,
    SIM_CAUSE_UNKNOWN,
    SIM_CAUSE_FULL,
    SIM_CAUSE_RELAY,
    SIM_CAUSE_TLS,
    SIM_CAUSE_PROTOCOL, /* the client erred */
    SIM_CAUSES
};
extern const char *const sim_event_names[], *const sim_cause_names[];

/* Columns of the file, in order. */
enum sim_truth_column {
    SIM_TRUTH_TIME,
    SIM_TRUTH_EVENT,
    SIM_TRUTH_PROVIDER,
    SIM_TRUTH_SERVER,
    SIM_TRUTH_CLIENT,
    SIM_TRUTH_FROM,
    SIM_TRUTH_RCPT,
    SIM_TRUTH_MESSAGE_ID,
    SIM_TRUTH_SIZE,
    SIM_TRUTH_HASH,
    SIM_TRUTH_TLS,
    SIM_TRUTH_REPLY,
    SIM_TRUTH_CAUSE,
    SIM_TRUTH_SIM_TIME,
    SIM_TRUTH_COLUMNS
};

struct sim_truth_line {
    wall_us time; /* real */
    enum sim_event event;
    enum sim_cause cause;
    wall_us sim_time; /* of the simulated clock */
    struct slice provider;
    uint32_t server, client; /* IPv4 addresses, host byte order */
    struct slice from, rcpt, message_id;
    uint64_t size;
    struct slice hash; /* hexadecimal; empty when there was no content */
    bool tls;
    struct slice reply; /* code and text; of several lines the last */
};

struct sim_truth {
    int fd; /* -1: nothing is kept */
    bool only_accepted;
    struct buf lines;
    uint64_t count[SIM_EVENTS]; /* counted even when not written */
};

/* path: NULL for none; an existing file is appended to. */
int sim_truth_open(struct sim_truth *t, const char *path, bool only_accepted, struct err *err);
void sim_truth_add(struct sim_truth *t, const struct sim_truth_line *line);
int sim_truth_flush(struct sim_truth *t, struct err *err);
int sim_truth_close(struct sim_truth *t, struct err *err);

#endif
