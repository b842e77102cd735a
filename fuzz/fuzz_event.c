/* What the ledger reads back from its tables: blocks, events, rows, and the public identity. The first byte
 * of an input says which decoder it is for. What is accepted must say the same after it was written again. */
#include "event.h"
#include "hash.h"
#include "rid.h"
#include "row.h"
#include "suppression.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

static void again_event(const struct event *e, wall_us base) {
    struct buf one, two;
    struct event back;
    buf_init(&one, EVENT_BLOCK_MAX), buf_init(&two, EVENT_BLOCK_MAX);
    require(event_encode(&one, e, base));
    struct slice rest = buf_slice(&one);
    require(event_decode(&rest, base, &back) && rest.len == 0);
    require(back.kind == e->kind && back.at == e->at && back.chunk == e->chunk && back.due == e->due);
    require(memcmp(&back.slots, &e->slots, sizeof e->slots) == 0 && slice_eq(back.detail, e->detail));
    require(event_encode(&two, &back, base) && slice_eq(buf_slice(&one), buf_slice(&two)));
    buf_done(&one), buf_done(&two);
}

static void block(struct slice stored) {
    struct buf scratch;
    struct event_reader reader;
    struct event e;
    struct err err = {0};
    uint64_t seen = 0;
    buf_init(&scratch, EVENT_BLOCK_MAX);
    int got = event_reader_init(&reader, stored, &scratch, &err);
    while (got == 0 && (got = event_reader_next(&reader, &e, &err)) == 1) {
        struct tally t = {0};
        tally_fold(&t, &e);
        seen += slots_count(&e.slots);
        got = 0;
        if (seen < 4096) again_event(&e, reader.base);
        if (reader.left == 0) break;
    }
    require(got >= 0 || err.kind == ERR_CORRUPT);
    buf_done(&scratch);
}

/* As a block whose check holds, so that what lies behind the check is tried too. */
static void checked_block(struct slice rest) {
    struct buf stored;
    uint8_t flags;
    uint32_t count, length;
    buf_init(&stored, 1 << 20);
    if (!take_u8(&rest, &flags) || !take_u32(&rest, &count) || !take_u32(&rest, &length)) return;
    buf_put_u8(&stored, 0x42), buf_put_u8(&stored, 1), buf_put_u8(&stored, flags & 1);
    buf_put_u64le(&stored, UINT64_C(1700000000000000));
    buf_put_u32(&stored, count);
    buf_put_u32(&stored, length % (64 << 10));
    buf_put_u64le(&stored, hash_bytes(rest, hash_bytes(buf_slice(&stored), 0)));
    if (buf_put_slice(&stored, rest)) block(buf_slice(&stored));
    buf_done(&stored);
}

static void events(struct slice rest) {
    struct event e;
    while (rest.len && event_decode(&rest, 0, &e))
        again_event(&e, 0);
}

/* One row of a kind: what encoding makes of what was decoded is decoded to the same bytes again. */
static void row(uint8_t kind, struct slice bytes) {
    struct buf out[2];
    struct campaign_row campaign;
    struct chunk_row chunk;
    struct retry_row retry;
    struct suppress_row suppress;
    struct suppress_count count;
    struct err err = {0};
    bool good = true;
    buf_init(&out[0], 1 << 20), buf_init(&out[1], 1 << 20);
    for (int i = 0; i < 2 && good; i++) {
        if (kind == 'g')
            good =
                campaign_row_decode(bytes, &campaign, &err) == 0 && campaign_row_encode(&out[i], &campaign);
        else if (kind == 'k')
            good = chunk_row_decode(bytes, &chunk, &err) == 0 && chunk_row_encode(&out[i], &chunk);
        else if (kind == 's')
            good =
                suppress_row_decode(bytes, &suppress, &err) == 0 && suppress_row_encode(&out[i], &suppress);
        else if (kind == 'f')
            good = suppress_count_decode(bytes, &count, &err) == 0 && suppress_count_encode(&out[i], &count);
        else
            good = retry_row_decode(bytes, &retry, &err) == 0 && retry_row_encode(&out[i], &retry);
        require(i == 0 || good);
        bytes = buf_slice(&out[i]);
    }
    require(good ? slice_eq(buf_slice(&out[0]), buf_slice(&out[1]))
                 : err.kind == ERR_CORRUPT || bytes.len > 1 << 19);
    buf_done(&out[0]), buf_done(&out[1]);
}

static void progress(struct slice bytes) {
    uint8_t count, states[CHUNK_SLOTS];
    if (!take_u8(&bytes, &count) || progress_decode(bytes, states, count, NULL)) return;
    for (unsigned i = 0; i < count; i++)
        require(states[i] <= SLOT_FINAL);
}

static void identity(struct slice text) {
    const struct rid_key key = {.id = 1, .secret = "an identity for fuzzing only"};
    uint32_t tenant;
    uint64_t rid;
    char again[RID_TEXT_LEN];
    if (!rid_decode(&key, 1, text, &tenant, &rid)) return;
    rid_encode(&key, tenant, rid, again);
    require(slice_eq_nocase(text, slice_make(again, sizeof again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_make(data, size);
    uint8_t kind;
    if (!take_u8(&rest, &kind)) return 0;
    switch (kind) {
    case 'b': block(rest); break;
    case 'c': checked_block(rest); break;
    case 'e': events(rest); break;
    case 'f':
    case 'g':
    case 'k':
    case 's':
    case 'r': row(kind, rest); break;
    case 'p': progress(rest); break;
    case 'i': identity(rest); break;
    default: break;
    }
    return 0;
}
