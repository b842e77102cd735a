/* Greylisting: the first try of somebody new is put off. Pure, but for the table that it remembers in. */
#ifndef TSUBAME_SIM_GREYLIST_H
#define TSUBAME_SIM_GREYLIST_H

#include "sim_clock.h"
#include "sim_scenario.h"
#include "sim_table.h"

struct sim_grey_try {
    uint64_t address;  /* the recipient's key */
    uint32_t client;   /* IPv4; its /24 counts */
    struct slice from; /* envelope sender */
    uint64_t provider; /* a hash that stands for it */
};

/* How many microseconds the mail must still wait: 0 lets it in. Remembers first tries. */
sim_us sim_greylist_wait(const struct sim_greylist *g, struct sim_table *memory, const struct sim_grey_try *t,
                         sim_us now);

/* A mail was accepted: after enough of them the client (or domain) is known for good. */
void sim_greylist_accepted(const struct sim_greylist *g, struct sim_table *memory,
                           const struct sim_grey_try *t);

#endif
