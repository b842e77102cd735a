/* A growing table from 64-bit keys to 64-bit values: what the fake internet remembers of addresses and
 * clients.
 *
 * 16 bytes an entry and up to twice that in slack; nothing is removed. Keys are hashes: two that collide
 * share an entry. Owner: whoever called sim_table_init. */
#ifndef TSUBAME_SIM_TABLE_H
#define TSUBAME_SIM_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct sim_table_entry {
    uint64_t key; /* 0: free */
    uint64_t value;
};

struct sim_table {
    struct sim_table_entry *entry;
    size_t size; /* a power of two, or 0 */
    size_t used;
};

void sim_table_init(struct sim_table *t);
void sim_table_done(struct sim_table *t);

/* The value of a key, or NULL. Valid until the next sim_table_put. */
uint64_t *sim_table_get(const struct sim_table *t, uint64_t key);

/* The value of a key, 0 when it is new. Ends the program without memory: a simulator that forgets would lie.
 */
uint64_t *sim_table_put(struct sim_table *t, uint64_t key);

#endif
