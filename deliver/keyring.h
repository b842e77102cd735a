/* The DKIM keys in force: an immutable ring, and the hook on which the present one hangs.
 *
 * Reading new keys makes a new ring; the hook changes hands in one step, and each worker takes the new ring
 * with its next mail. The last who lets go of a ring frees it, private keys and all. */
#ifndef TSUBAME_KEYRING_H
#define TSUBAME_KEYRING_H

#include "dkim_choice.h"
#include "engine.h"

#include <pthread.h>
#include <stdatomic.h>

struct keyring_key {
    struct dkim_key *key;
    struct slice selector;
};

struct keyring {
    atomic_uint holders;
    size_t count;
    struct dkim_rule *rules; /* as dkim_choose takes them; by the same index: */
    struct keyring_key *keys;
};

/* Reads the keys' files. Nothing of the options is kept. Held once. NULL with err. */
struct keyring *keyring_read(const struct dkim_options *keys, size_t count, struct err *err);
void keyring_drop(struct keyring *ring); /* NULL is taken */

struct keyring_hook {
    pthread_mutex_t lock;
    struct keyring *ring;
    atomic_uint version; /* another with each ring, so that a look costs no lock */
};

/* Takes the ring over. */
void keyring_hook_init(struct keyring_hook *hook, struct keyring *ring);
void keyring_hook_done(struct keyring_hook *hook);
void keyring_hang(struct keyring_hook *hook, struct keyring *ring);
/* The present ring, held for the caller, and its version. */
struct keyring *keyring_take(struct keyring_hook *hook, unsigned *version);

#endif
