/* A backlog with a few campaigns and chunks, for its tests: holds are counted, what is dropped too. */
#ifndef TSUBAME_TEST_BACKLOG_WORLD_H
#define TSUBAME_TEST_BACKLOG_WORLD_H

#include "backlog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WORLD_CAMPAIGNS = 2, WORLD_CHUNKS = 64 };

struct world {
    struct backlog b;
    struct campaign campaigns[WORLD_CAMPAIGNS];
    struct chunk chunks[WORLD_CHUNKS]; /* by turns of so many campaigns as it was opened with */
    unsigned dropped;                  /* recipients */
};

void world_open(struct world *w, unsigned campaigns);
void world_done(struct world *w); /* and nothing is held any more */

/* The engine's part: a hold is given back; what is not sent is counted, and its hold given back. */
void world_let_go(void *ctx, struct chunk *chunk);
void world_drop(void *world, struct chunk *chunk, const struct slots *slots);

struct domain *world_add(struct world *w, const char *name, unsigned chunk, struct slots slots);
/* All domains that wait to be looked up are placed there. */
struct site *world_place_all(struct world *w, uint64_t key, const char *lane_name);

#endif
