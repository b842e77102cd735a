/* A made-up engine for the tests of the ledger: a real store, a ledger on it, the reference model beside it,
 * and batches that are kept back so that a crash can lose them. */
#ifndef TSUBAME_TEST_LEDGER_WORLD_H
#define TSUBAME_TEST_LEDGER_WORLD_H

#include "ledger.h"
#include "test_model.h"

enum { WORLD_IN_FLIGHT = 6 };

struct flight {
    struct store_batch *batch;
    struct model model; /* what is durable with it */
    uint64_t sequence;
};

struct world {
    uint64_t seed, draws;
    char dir[64];
    struct store *store;
    struct ledger *ledger;
    struct model model;   /* by every event so far */
    struct model durable; /* by those that are committed */
    struct model history; /* by the blocks that a reader has read from the store */
    uint64_t read_until;  /* its cursor */
    uint64_t durable_sequence;
    struct flight flights[WORLD_IN_FLIGHT];
    unsigned in_flight;
    unsigned untold; /* committed, but the ledger has not heard of it */
    size_t tapped;   /* bytes of the block under construction that the model has */
    bool woken[MODEL_CAMPAIGNS][MODEL_CHUNKS][MODEL_SLOTS];
    bool arrived[MODEL_CAMPAIGNS][MODEL_CHUNKS][MODEL_SLOTS]; /* in the world: no crash undoes it */
    wall_us now;
    unsigned names, second_copies, crashes;
    uint32_t highest_durable_id;
    struct chunk *held[4]; /* ledger_hold */
};

void world_open(struct world *w, uint64_t seed);
void world_close(struct world *w);

/* The next of the seed's numbers, below `limit`. */
unsigned world_draw(struct world *w, unsigned limit);

/* Gives the events since the last call to the model. After every call that changes the ledger. */
void world_tap(struct world *w);
/* Whatever has changed becomes a batch, kept back. */
void world_seal(struct world *w, bool checkpoint);
void world_commit_oldest(struct world *w);
void world_tell(struct world *w);
void world_commit_all(struct world *w);
/* Loses what is not committed, and recovers. */
void world_crash(struct world *w);
/* The reader of blocks comes as far as it can. */
void world_read(struct world *w);
/* The ledger in memory says what the model says. */
void world_verify(struct world *w);
/* The rows of the store say what the committed part of the model says. */
void world_verify_store(struct world *w);

struct load {
    unsigned chunks, rejected, duplicates;
    unsigned count; /* of each chunk; 0: by chance */
    bool held, hold_uncertain;
    wall_us lasts;
    bool crash_before_ready;
};
/* NULL when it crashed on the way, as asked. */
struct campaign *world_load(struct world *w, const struct load *load);

/* Everything waiting in one campaign and chunk, by the ledger. */
struct chunk *world_chunk(struct world *w, uint32_t campaign, unsigned index);
void world_lease(struct world *w, struct chunk *chunk, const struct slots *slots);
/* Settles slots of one chunk and checks that the right thing came of each. */
void world_settle(struct world *w, struct chunk *chunk, const struct slots *slots, enum event_kind kind,
                  wall_us delay);
/* All that is due; returns how many woke. */
unsigned world_due(struct world *w, unsigned most);
void world_unwake(struct world *w, struct chunk *chunk); /* all of it that woke */
void world_set_state(struct world *w, struct campaign *c, enum campaign_state state);
bool world_sweep(struct world *w, struct campaign *c, unsigned work);
void world_rows(struct world *w, enum store_table table, uint64_t want);
/* Drives all to its end and checks that each recipient has met one fate. */
void world_finish(struct world *w);

#endif
