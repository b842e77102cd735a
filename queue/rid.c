/* Public encoding of recipients' identities, on libsodium's keyed BLAKE2b. The only file that knows libsodium
 * here. */
#include "rid.h"

#include "codec.h"

#include <sodium.h>

enum { VERSION = 1, PLAIN = 13, CHECK = 10, PACKED = PLAIN + CHECK };

bool rid_begin(void) {
    return sodium_init() >= 0;
}

uint64_t rid_random(void) {
    uint64_t bits;
    randombytes_buf(&bits, sizeof bits);
    return bits;
}

void rid_key_make(struct rid_key *key) {
    randombytes_buf(key->secret, sizeof key->secret);
}

void rid_key_forget(struct rid_key *keys, size_t count) {
    sodium_memzero(keys, count * sizeof *keys);
}

/* BLAKE2b's shortest output is 16 bytes; its first 10 are the check. */
static void put_check(const struct rid_key *key, unsigned char packed[PACKED]) {
    unsigned char full[crypto_generichash_BYTES_MIN];
    crypto_generichash(full, sizeof full, packed, PLAIN, key->secret, sizeof key->secret);
    memcpy(packed + PLAIN, full, CHECK);
}

static void put_plain(unsigned char packed[PACKED], uint8_t key_id, uint32_t tenant, uint64_t rid) {
    packed[0] = (unsigned char)(VERSION << 4 | (key_id & 15));
    for (int i = 0; i < 4; i++)
        packed[1 + i] = (unsigned char)(tenant >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        packed[5 + i] = (unsigned char)(rid >> (56 - 8 * i));
}

void rid_encode(const struct rid_key *key, uint32_t tenant, uint64_t rid, char out[RID_TEXT_LEN]) {
    unsigned char packed[PACKED];
    put_plain(packed, key->id, tenant, rid);
    put_check(key, packed);
    struct buf text = {.at = out, .cap = RID_TEXT_LEN, .max = RID_TEXT_LEN};
    codec_base32(&text, slice_make(packed, sizeof packed));
}

bool rid_decode(const struct rid_key *keys, size_t count, struct slice text, uint32_t *tenant,
                uint64_t *rid) {
    unsigned char packed[PACKED], again[PACKED];
    struct buf bytes = {.at = (char *)packed, .cap = PACKED, .max = PACKED};
    if (text.len != RID_TEXT_LEN || !codec_unbase32(&bytes, text) || bytes.len != PACKED) return false;
    if (packed[0] >> 4 != VERSION) return false;
    for (size_t i = 0; i < count; i++) {
        if (keys[i].id != (packed[0] & 15)) continue;
        memcpy(again, packed, PLAIN);
        put_check(&keys[i], again);
        if (sodium_memcmp(again + PLAIN, packed + PLAIN, CHECK) != 0) return false;
        *tenant = 0, *rid = 0;
        for (int j = 0; j < 4; j++)
            *tenant = *tenant << 8 | packed[1 + j];
        for (int j = 0; j < 8; j++)
            *rid = *rid << 8 | packed[5 + j];
        return true;
    }
    return false;
}
