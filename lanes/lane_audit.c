/* Gathering changes of limits by lane and dimension. lane_audit.h tells the rule. */
#include "lane_audit.h"

#include "hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lane_audit_entry {
    mono_us told, at; /* when last; of the change that waits */
    uint32_t changes; /* that wait; 0: none */
    uint8_t dimension, cause;
    uint16_t code;
    double from, to;
    uint8_t provider_len, source_len, words_len;
    char provider[LANE_AUDIT_NAME], source[LANE_AUDIT_NAME], words[LEARN_WORDS];
};

const char *learn_cause_name(unsigned cause) {
    static const char *const names[] = {"reply",  "silence", "trying",    "return",
                                        "memory", "latency", "refutation"};
    return cause < sizeof names / sizeof *names ? names[cause] : "?";
}

void lane_audit_init(struct lane_audit *a, void (*tell)(void *, const struct note *), void *ctx,
                     mono_us now) {
    *a = (struct lane_audit){.tokens = LANE_AUDIT_BURST, .filled = now, .tell = tell, .ctx = ctx};
}

void lane_audit_done(struct lane_audit *a) {
    free(a->entries);
    free(a->keys);
    *a = (struct lane_audit){0};
}

static void fill(struct lane_audit *a, mono_us now) {
    a->tokens += (double)(now - a->filled) / (double)US_PER_SEC * LANE_AUDIT_RATE;
    if (a->tokens > LANE_AUDIT_BURST) a->tokens = LANE_AUDIT_BURST;
    a->filled = now;
}

static void tell(struct lane_audit *a, struct lane_audit_entry *e, wall_us wall, mono_us now) {
    struct note n = {.what = NOTE_LIMIT,
                     .at = wall - (now - e->at),
                     .provider = slice_make(e->provider, e->provider_len),
                     .source = slice_make(e->source, e->source_len),
                     .words = slice_make(e->words, e->words_len),
                     .code = e->code,
                     .dimension = e->dimension,
                     .cause = e->cause,
                     .from = e->from,
                     .to = e->to,
                     .changes = e->changes};
    e->told = now;
    e->changes = 0;
    a->waiting--;
    a->tokens -= 1;
    a->tell(a->ctx, &n);
}

/* ---- entries ---- */

static uint64_t key_of(struct slice provider, struct slice source, unsigned dimension) {
    return hash_bytes(provider, hash_bytes(source, dimension));
}

static struct lane_audit_entry *find(struct lane_audit *a, uint64_t key) {
    for (size_t i = 0; a->keys && i < a->count; i++)
        if (a->keys[i] == key) return &a->entries[i];
    return NULL;
}

/* Those that have nothing to tell and may tell at once are as good as none. */
static void sweep(struct lane_audit *a, mono_us now) {
    for (size_t i = 0; a->entries && a->keys && i < a->count;) {
        if (a->entries[i].changes || now - a->entries[i].told < LANE_AUDIT_APART) {
            i++;
            continue;
        }
        a->count--;
        a->entries[i] = a->entries[a->count];
        a->keys[i] = a->keys[a->count];
    }
}

static bool make_room(struct lane_audit *a, mono_us now) {
    if (a->count < a->room) return true;
    sweep(a, now);
    if (a->count < a->room) return true;
    size_t room = a->room ? a->room * 2 : 64;
    if (room > LANE_AUDIT_MOST) return false;
    struct lane_audit_entry *entries = reallocarray(a->entries, room, sizeof *entries);
    if (entries) a->entries = entries;
    uint64_t *keys = entries ? reallocarray(a->keys, room, sizeof *keys) : NULL;
    if (!keys) return false;
    a->keys = keys;
    a->room = room;
    return true;
}

static uint8_t copy(char *to, struct slice from, size_t room) {
    size_t n = from.len < room ? from.len : room;
    if (n) memcpy(to, from.at, n);
    return (uint8_t)n;
}

static struct lane_audit_entry *add(struct lane_audit *a, uint64_t key, struct slice provider,
                                    struct slice source, unsigned dimension, mono_us now) {
    if (!make_room(a, now)) return NULL;
    assert(a->entries && a->keys);
    struct lane_audit_entry *e = &a->entries[a->count];
    *e = (struct lane_audit_entry){.told = now - LANE_AUDIT_APART, .dimension = (uint8_t)dimension};
    e->provider_len = copy(e->provider, provider, sizeof e->provider);
    e->source_len = copy(e->source, source, sizeof e->source);
    a->keys[a->count++] = key;
    return e;
}

/* ---- changes ---- */

static double sane(double x) {
    return x >= 0 && x <= 1e15 ? x : 0;
}

void lane_audit_change(struct lane_audit *a, struct slice provider, struct slice source,
                       const struct learn_change *c, wall_us wall, mono_us now) {
    if (c->cause == LEARN_BY_MEMORY) return;
    uint64_t key = key_of(provider, source, c->dimension);
    struct lane_audit_entry *e = find(a, key);
    if (!e) e = add(a, key, provider, source, c->dimension, now);
    if (!e) {
        a->lost++;
        return;
    }
    if (e->changes == 0) {
        e->from = sane(c->from);
        a->waiting++;
    }
    if (e->changes < UINT32_MAX) e->changes++;
    e->at = c->at;
    e->to = sane(c->to);
    e->cause = (uint8_t)c->cause;
    e->code = c->code > 0 && c->code < 1000 ? (uint16_t)c->code : 0;
    e->words_len = copy(e->words, c->words, sizeof e->words);
    fill(a, now);
    if (a->tokens >= 1 && now - e->told >= LANE_AUDIT_APART) tell(a, e, wall, now);
}

mono_us lane_audit_tick(struct lane_audit *a, wall_us wall, mono_us now) {
    if (a->waiting == 0) return NEVER;
    mono_us next = NEVER;
    size_t i, looked;
    fill(a, now);
    for (looked = 0; looked < a->count && a->waiting; looked++) {
        i = (a->turn + looked) % a->count;
        struct lane_audit_entry *e = &a->entries[i];
        mono_us due = e->told + LANE_AUDIT_APART;
        if (e->changes == 0) continue;
        if (due > now) {
            if (due < next) next = due;
            continue;
        }
        if (a->tokens < 1) {
            a->turn = i;
            return now + US_PER_SEC;
        }
        tell(a, e, wall, now);
    }
    return next;
}

void lane_audit_flush(struct lane_audit *a, wall_us wall, mono_us now) {
    for (size_t i = 0; i < a->count && a->waiting; i++)
        if (a->entries[i].changes) tell(a, &a->entries[i], wall, now);
}
