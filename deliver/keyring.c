/* Rings of keys: read whole, shared, replaced whole. */
#include "keyring.h"

#include <stdlib.h>

static bool keep(struct slice *to, const char *text) {
    char *copy = strdup(text);
    *to = slice_of(copy);
    return copy;
}

static void free_ring(struct keyring *ring) {
    for (size_t i = 0; ring->rules && ring->keys && i < ring->count; i++) {
        dkim_key_free(ring->keys[i].key);
        free((char *)(uintptr_t)ring->keys[i].selector.at);
        free((char *)(uintptr_t)ring->rules[i].domain.at);
    }
    free(ring->rules);
    free(ring->keys);
    free(ring);
}

static int read_one(struct keyring *ring, size_t i, const struct dkim_options *o, struct err *err) {
    struct dkim_rule *rule = &ring->rules[i];
    struct keyring_key *key = &ring->keys[i];
    key->key = dkim_key_read_file(o->key_file, err);
    if (!key->key) return -1;
    if (!keep(&rule->domain, o->domain) || !keep(&key->selector, o->selector))
        return err_set(err, ERR_SYSTEM, "out of memory");
    rule->algorithm = dkim_key_algorithm(key->key);
    rule->from = o->from;
    rule->until = o->until ? o->until : NEVER;
    rule->any_from = o->any_from;
    return 0;
}

struct keyring *keyring_read(const struct dkim_options *keys, size_t count, struct err *err) {
    struct keyring *ring = calloc(1, sizeof *ring);
    if (ring) {
        atomic_init(&ring->holders, 1);
        ring->count = count;
        ring->rules = calloc(count + 1, sizeof *ring->rules);
        ring->keys = calloc(count + 1, sizeof *ring->keys);
    }
    bool good = ring && ring->rules && ring->keys;
    if (!good) err_set(err, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < count && good; i++)
        good = read_one(ring, i, &keys[i], err) == 0;
    if (good) return ring;
    if (ring) free_ring(ring);
    return NULL;
}

void keyring_drop(struct keyring *ring) {
    if (ring && atomic_fetch_sub(&ring->holders, 1) == 1) free_ring(ring);
}

void keyring_hook_init(struct keyring_hook *hook, struct keyring *ring) {
    pthread_mutex_init(&hook->lock, NULL);
    hook->ring = ring;
    atomic_init(&hook->version, 1);
}

void keyring_hook_done(struct keyring_hook *hook) {
    keyring_drop(hook->ring);
    pthread_mutex_destroy(&hook->lock);
}

void keyring_hang(struct keyring_hook *hook, struct keyring *ring) {
    pthread_mutex_lock(&hook->lock);
    struct keyring *before = hook->ring;
    hook->ring = ring;
    atomic_fetch_add(&hook->version, 1);
    pthread_mutex_unlock(&hook->lock);
    keyring_drop(before);
}

struct keyring *keyring_take(struct keyring_hook *hook, unsigned *version) {
    pthread_mutex_lock(&hook->lock);
    struct keyring *ring = hook->ring;
    atomic_fetch_add(&ring->holders, 1);
    *version = atomic_load(&hook->version);
    pthread_mutex_unlock(&hook->lock);
    return ring;
}
