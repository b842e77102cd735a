/* What the projector costs for a mail: blocks made beforehand, CPU of this process while they are projected.
 */
#include "projector.h"
#include "row.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BLOCK_EVENTS = 1200, OPEN_CHUNKS = 200 };

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void note(struct event_block *b, uint64_t mail) {
    char text[64];
    uint64_t group = mail / (OPEN_CHUNKS * CHUNK_SLOTS);
    uint64_t chunk = (UINT64_C(1) << 28) + group * OPEN_CHUNKS + mail % OPEN_CHUNKS;
    unsigned slot = (unsigned)(mail / OPEN_CHUNKS % CHUNK_SLOTS);
    int n = snprintf(text, sizeof text, "2.0.0 Ok: queued as %08llX", (unsigned long long)mail * 2654435761u);
    struct event e = {
        .at = (wall_us)mail * 80, .chunk = chunk, .slots = slots_one(slot), .kind = EVENT_LEASED};
    event_block_add(b, &e);
    e.kind = EVENT_DELIVERED;
    e.stage = 9, e.code = 250, e.enhanced[0] = 2, e.attempt = 1, e.class = 24;
    e.provider = SLICE("google"), e.host = SLICE("gmail-smtp-in.l.google.com [192.0.2.27]");
    e.text = slice_make(text, (size_t)n);
    event_block_add(b, &e);
    if (slot != CHUNK_SLOTS - 1) return;
    struct event closed = {.at = e.at, .chunk = chunk, .kind = EVENT_CLOSED};
    event_block_add(b, &closed);
}

static void fill(struct store *s, uint64_t mails) {
    struct event_block b;
    struct buf out;
    struct err err;
    struct store_batch *batch = store_batch_new(STORE_BATCH_MAX);
    uint64_t sequence = 0;
    event_block_init(&b);
    buf_init(&out, 8 << 20);
    for (uint64_t mail = 0; mail < mails; mail++) {
        note(&b, mail);
        if (b.count < BLOCK_EVENTS && mail + 1 < mails) continue;
        buf_reset(&out);
        event_block_seal(&b, &out);
        event_block_reset(&b);
        struct store_key key = store_key_u64(++sequence);
        store_put(batch, TABLE_BLOCK, store_key_slice(&key), buf_slice(&out));
        if (store_batch_bytes(batch) < (4 << 20) && mail + 1 < mails) continue;
        if (store_commit(s, batch, 0, &err)) exit(1);
        store_batch_reset(batch);
    }
    store_batch_free(batch);
    event_block_done(&b);
    buf_done(&out);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv) {
    char dir[] = "/tmp/tsubame-bench-XXXXXX";
    uint64_t mails = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    struct projector_options options = {.pace_us = US_PER_SEC, .age_us = 30 * US_PER_SEC, .memory = 16 << 20};
    struct err err;
    if (!mkdtemp(dir)) return 1;
    struct store *s = store_open(dir, NULL, &err);
    if (!s) return fprintf(stderr, "%s\n", err.text), 1;
    fill(s, mails);
    double before = cpu_us();
    struct projector *p = projector_open(s, &options, &err);
    if (!p || projector_stop(p, &err)) return fprintf(stderr, "%s\n", err.text), 1;
    printf("%.2f us of CPU a mail\n", (cpu_us() - before) / (double)mails);
    projector_free(p);
    store_free(s);
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) ? 1 : 0;
}
