/* The identity of a recipient, and its public encoding.
 *
 * A rid is campaign:28 | chunk:28 | slot:8 and never changes. What the world sees of it (Message-ID, VERP
 * return path, later unsubscribe and click tokens) is one versioned text of tenant and rid with a keyed
 * check, so that nobody can make up one that we believe:
 *
 *     version and key id (1 byte) | tenant (4) | rid (8) | BLAKE2b-80 keyed over the thirteen before (10)
 *
 * in base32 of lower case: 37 characters, fit for a local part, safe against case folding. It must stay
 * readable for years: new forms get a new version, old keys are kept. */
#ifndef TSUBAME_RID_H
#define TSUBAME_RID_H

#include "slice.h"

enum { RID_CAMPAIGN_MAX = (1 << 28) - 1, RID_CHUNK_MAX = (1 << 28) - 1, CHUNK_SLOTS = 256 };

static inline uint64_t rid_make(uint64_t campaign, uint64_t chunk, unsigned slot) {
    return campaign << 36 | chunk << 8 | slot;
}
/* A chunk's id is its rids without the slot. */
static inline uint64_t rid_chunk(uint64_t rid) {
    return rid >> 8;
}
static inline unsigned rid_slot(uint64_t rid) {
    return (unsigned)(rid & 0xff);
}
static inline uint32_t chunk_campaign(uint64_t chunk_id) {
    return (uint32_t)(chunk_id >> 28);
}
static inline uint64_t chunk_rid(uint64_t chunk_id, unsigned slot) {
    return chunk_id << 8 | slot;
}

enum { RID_KEY_BYTES = 32, RID_TEXT_LEN = 37 };

struct rid_key {
    uint8_t id; /* 0..15 */
    uint8_t secret[RID_KEY_BYTES];
};

/* Before all else, once: false when libsodium does not start. */
bool rid_begin(void);

/* Any 64 bits, not to be guessed. */
uint64_t rid_random(void);

/* A fresh secret; and the end of `count` keys, which no longer stand in memory. */
void rid_key_make(struct rid_key *key);
void rid_key_forget(struct rid_key *keys, size_t count);

/* Writes RID_TEXT_LEN characters, no NUL. */
void rid_encode(const struct rid_key *key, uint32_t tenant, uint64_t rid, char out[RID_TEXT_LEN]);

/* Reads what rid_encode wrote, in either case. False when it is not of ours: wrong length, alphabet, version,
 * key id not among the `count` keys, or check. Constant time in the check. */
bool rid_decode(const struct rid_key *keys, size_t count, struct slice text, uint32_t *tenant, uint64_t *rid);

#endif
