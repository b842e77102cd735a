/* Fuzz target: profiles of providers, and what lanes have learned. The first byte of an input says which: 'm'
 * bytes of a lane's memory, 'k' a lane's key, anything else a file of profiles. What is taken must work in a
 * controller; what is not is told with a place. */
#include "lane_memory.h"
#include "profile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

static void drive(const struct learn_profile *p, const struct learn_memory *m) {
    struct learn l;
    struct learn_session s;
    mono_us when, now = US_PER_SEC;
    learn_init(&l, p, NULL, NULL, now);
    if (m) learn_load(&l, m, m->saved, now);
    for (int i = 0; i < 20; i++, now += US_PER_SEC) {
        if (!learn_open(&l, &s, 0, true, now, &when)) continue;
        learn_let_in(&l, &s, now);
        unsigned n = learn_take(&l, &s, 8, now, &when);
        require(n <= 8);
        learn_give_back(&l, &s, n);
        learn_left(&l, &s, false, NULL, now);
    }
    learn_done(&l);
}

static void memory(struct slice bytes) {
    struct learn_memory m;
    const struct learn_profile none = {0}, tight = {.connections = {1, 1, 1}, .quota = {.ceiling = 5}};
    struct buf again;
    if (!lane_memory_decode(bytes, &m)) return;
    buf_init(&again, LANE_MEMORY_BYTES);
    require(lane_memory_encode(&m, &again) && again.len <= bytes.len);
    drive(&none, &m);
    drive(&tight, &m);
    buf_done(&again);
}

static void profiles(struct slice text) {
    static struct profile list[PROFILES_MOST];
    struct arena arena;
    struct err err = {0};
    size_t count = 0;
    arena_init(&arena, 32 << 20);
    int failed = profile_read(text, "fuzz", &arena, list, &count, &err);
    if (failed) require(err.kind != ERR_NONE && strncmp(err.text, "fuzz:", 5) == 0);
    for (size_t i = 0; i < count; i++) {
        struct learn_profile p = profile_learn(&list[i]);
        require(profile_named(list, count, slice_of(list[i].name)) == &list[i]);
        if (i < 20) drive(&p, NULL);
        for (size_t j = 0; j < list[i].suffix_count && j < 4; j++)
            if (list[i].suffixes[j][0] != '.')
                require(profile_of_host(list, count, slice_of(list[i].suffixes[j])) != NULL);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_make(data, size), source, provider;
    uint64_t set;
    if (size == 0) return 0;
    if (data[0] == 'm')
        memory(slice_skip(rest, 1));
    else if (data[0] == 'k')
        lane_key_decode(slice_skip(rest, 1), &source, &provider, &set);
    else
        profiles(rest);
    return 0;
}
