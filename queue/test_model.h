/* A reference for the tests of the ledger: what its events say of every recipient, kept naively and checked
 * at every step. An event that no state allows fails the test that runs. */
#ifndef TSUBAME_TEST_MODEL_H
#define TSUBAME_TEST_MODEL_H

#include "row.h"

enum { MODEL_CAMPAIGNS = 12, MODEL_CHUNKS = 5, MODEL_SLOTS = 20 };

enum model_state { MODEL_NONE, MODEL_PENDING, MODEL_LEASED, MODEL_DEFERRED, MODEL_FINAL };

struct model_recipient {
    enum model_state state;
    enum event_kind fate; /* MODEL_FINAL: EVENT_UNCERTAIN where a person must look */
    wall_us due;          /* key in the retry table, 0 where it has no row */
    bool doubt;
    uint16_t attempts;
};

struct model_chunk {
    unsigned count;
    bool closed;
    struct model_recipient slots[MODEL_SLOTS];
};

struct model_campaign {
    uint32_t id;
    bool gone; /* its load was given up */
    enum campaign_state state;
    bool ended, hold_uncertain;
    wall_us expires;
    uint64_t planned, rejected, duplicates, deferrals, doubted;
    unsigned chunks;
    struct model_chunk chunk[MODEL_CHUNKS];
};

struct model {
    unsigned count;
    struct model_campaign campaigns[MODEL_CAMPAIGNS];
    unsigned notes; /* so many, and what their numbers give together */
    uint64_t noted;
};

/* The campaign; made when it is not there. */
struct model_campaign *model_campaign(struct model *m, uint32_t id);

/* Takes an event; fails the test when it is not allowed. `seed` is told. */
void model_take(struct model *m, const struct event *e, uint64_t seed);

struct tally model_tally(const struct model_campaign *c);
unsigned model_count(const struct model *m, enum model_state state);

/* Fails the test when they differ in anything that events say. */
void model_same(const struct model *a, const struct model *b, uint64_t seed);
bool tally_same(const struct tally *a, const struct tally *b);

#endif
