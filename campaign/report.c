/* Sums and searches over a view. One chunk in memory at a time. */
#include "report.h"

#include "hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TABLE_SIZE = 8192, /* of hashed places; above both maxima, a power of two */
    CAUSE_MAX = 80
};
_Static_assert(CAUSE_MAX < REPORT_WORDS_MAX - 4, "causes are compared with words that were kept");

struct making {
    struct report *r;
    uint16_t *provider_at; /* index + 1 by hash */
    uint16_t *reason_at;
};

static void copy_text(char *to, size_t size, struct slice text) {
    size_t n = text.len < size - 1 ? text.len : size - 1;
    if (n) memcpy(to, text.at, n);
    while (n < text.len && n && ((unsigned char)text.at[n] & 0xc0) == 0x80)
        n--; /* no half characters */
    to[n] = 0;
}

static struct report_provider *provider_for(struct making *m, struct slice name) {
    struct report *r = m->r;
    if (name.len >= REPORT_NAME_MAX) name.len = REPORT_NAME_MAX - 1;
    for (size_t i = hash_bytes(name, 1) % TABLE_SIZE;; i = (i + 1) % TABLE_SIZE) {
        if (m->provider_at[i] == 0) {
            bool full = r->provider_count == REPORT_PROVIDERS_MAX - 1;
            if (full && !slice_eq(name, SLICE("..."))) return provider_for(m, SLICE("..."));
            m->provider_at[i] = (uint16_t)++r->provider_count;
            copy_text(r->providers[r->provider_count - 1].name, REPORT_NAME_MAX, name);
        }
        struct report_provider *p = &r->providers[m->provider_at[i] - 1];
        if (slice_eq(slice_of(p->name), name)) return p;
    }
}

/* Of mails that could not be made: what is wrong, without the value that is quoted behind it. */
static struct slice cause(struct slice words) {
    ptrdiff_t quote = slice_find(words, '\'');
    if (quote >= 0) words.len = (size_t)quote;
    return words.len < CAUSE_MAX ? words : slice_make(words.at, CAUSE_MAX);
}

static bool unmade(enum fate fate, const struct event *e) {
    return fate == FATE_FAILED && event_is_unmade(EVENT_FAILED, e->class, e->code);
}

static bool same_reason(const struct report_reason *a, enum fate fate, const struct event *e) {
    if (unmade(fate, e) && !slice_eq(cause(slice_of(a->words)), cause(e->text))) return false;
    return a->fate == fate && a->class == e->class && a->code == e->code &&
           memcmp(a->enhanced, e->enhanced, sizeof e->enhanced) == 0;
}

static void count_reason(struct making *m, enum fate fate, const struct event *e) {
    struct report *r = m->r;
    uint16_t key[] = {(uint16_t)fate, e->class, e->code, e->enhanced[0], e->enhanced[1], e->enhanced[2]};
    uint64_t hash = hash_bytes(slice_make(key, sizeof key), 2);
    if (unmade(fate, e)) hash = hash_bytes(cause(e->text), hash);
    for (size_t i = hash % TABLE_SIZE;; i = (i + 1) % TABLE_SIZE) {
        if (m->reason_at[i] == 0) {
            if (r->reason_count == REPORT_REASONS_MAX) return;
            m->reason_at[i] = (uint16_t)++r->reason_count;
            struct report_reason *fresh = &r->reasons[r->reason_count - 1];
            *fresh = (struct report_reason){.fate = fate, .class = e->class, .code = e->code};
            memcpy(fresh->enhanced, e->enhanced, sizeof fresh->enhanced);
            copy_text(fresh->words, sizeof fresh->words, e->text);
            copy_text(fresh->host, sizeof fresh->host, e->host);
        }
        struct report_reason *found = &r->reasons[m->reason_at[i] - 1];
        if (same_reason(found, fate, e)) {
            found->count++;
            return;
        }
    }
}

static void count_slot(struct making *m, const struct fold_slot *s) {
    struct report *r = m->r;
    struct report_provider *p = provider_for(m, s->told ? s->answer.provider : (struct slice){0});
    uint64_t *const sums[FATES] = {
        [FATE_DELIVERED] = &r->tally.delivered,   [FATE_FAILED] = &r->tally.failed,
        [FATE_SUPPRESSED] = &r->tally.suppressed, [FATE_CANCELLED] = &r->tally.cancelled,
        [FATE_EXPIRED] = &r->tally.expired,       [FATE_UNCERTAIN] = &r->tally.uncertain};
    r->tally.planned++;
    if (sums[s->fate]) ++*sums[s->fate];
    p->total++;
    p->fates[s->fate]++;
    r->leased += s->leased;
    r->deferred += s->fate == FATE_PENDING && s->deferred;
    r->doubted += s->doubted;
    if (s->told && (s->fate != FATE_PENDING || s->deferred)) count_reason(m, s->fate, &s->answer);
}

static int by_total(const void *a, const void *b) {
    const struct report_provider *x = a, *y = b;
    if (x->total != y->total) return x->total > y->total ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_fate(const void *a, const void *b) {
    const struct report_reason *x = a, *y = b;
    if (x->fate != y->fate) return x->fate < y->fate ? -1 : 1;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return x->code < y->code ? -1 : x->code > y->code;
}

static int walk(struct view *v, uint32_t campaign, struct making *m, struct err *err) {
    struct fold *fold = malloc(sizeof *fold);
    struct chunk_row chunk;
    if (!fold) return err_set(err, ERR_SYSTEM, "out of memory");
    int found = view_chunk_first(v, campaign, 0, &chunk, err);
    while (found == 1) {
        found = view_fold(v, &chunk, fold, err);
        for (unsigned i = 0; found == 0 && i < fold->count; i++)
            count_slot(m, &fold->slots[i]);
        if (found == 0) found = view_chunk_next(v, &chunk, err);
    }
    free(fold);
    return found;
}

int report_make(struct view *v, const struct campaign_row *row, struct report *r, struct err *err) {
    *r = (struct report){0};
    const struct history_removed *removed = view_removed(v, row->id);
    if (removed) {
        r->removed = *removed;
        r->tally = row->tally;
        return 0;
    }
    struct making m = {r, calloc(TABLE_SIZE, sizeof(uint16_t)), calloc(TABLE_SIZE, sizeof(uint16_t))};
    r->providers = calloc(REPORT_PROVIDERS_MAX, sizeof *r->providers);
    r->reasons = calloc(REPORT_REASONS_MAX, sizeof *r->reasons);
    int failed;
    if (!m.provider_at || !m.reason_at || !r->providers || !r->reasons)
        failed = err_set(err, ERR_SYSTEM, "out of memory");
    else
        failed = walk(v, row->id, &m, err);
    free(m.provider_at);
    free(m.reason_at);
    if (failed) {
        report_done(r);
        return -1;
    }
    r->tally.planned += row->tally.rejected;
    r->tally.failed += row->tally.rejected;
    r->tally.rejected = row->tally.rejected;
    r->tally.duplicates = row->tally.duplicates;
    r->tally.deferrals = row->tally.deferrals;
    r->tally.doubted = row->tally.doubted;
    r->tally.deferred = r->deferred;
    if (r->providers) qsort(r->providers, r->provider_count, sizeof *r->providers, by_total);
    if (r->reasons) qsort(r->reasons, r->reason_count, sizeof *r->reasons, by_fate);
    return 0;
}

void report_done(struct report *r) {
    free(r->providers);
    free(r->reasons);
    r->providers = NULL;
    r->reasons = NULL;
}

int report_compare(const struct report *r, const struct tally *ledger, struct err *err) {
    const struct {
        const char *name;
        uint64_t counted, told;
    } pairs[] = {{"planned", r->tally.planned, ledger->planned},
                 {"delivered", r->tally.delivered, ledger->delivered},
                 {"failed", r->tally.failed, ledger->failed},
                 {"suppressed", r->tally.suppressed, ledger->suppressed},
                 {"cancelled", r->tally.cancelled, ledger->cancelled},
                 {"expired", r->tally.expired, ledger->expired},
                 {"pending", tally_pending(&r->tally), tally_pending(ledger)},
                 {"uncertain", r->tally.uncertain, ledger->uncertain}};
    struct buf text;
    buf_init(&text, 480);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].counted != pairs[i].told)
            buf_printf(&text, "%s%s: %" PRIu64 " by recipients, %" PRIu64 " by the ledger",
                       text.len ? "; " : "", pairs[i].name, pairs[i].counted, pairs[i].told);
    int failed = text.len ? err_set(err, ERR_CORRUPT, "%.*s", SLICE_ARG(buf_slice(&text))) : 0;
    buf_done(&text);
    return failed;
}

int report_recipients(struct view *v, const struct campaign_row *row,
                      int (*each)(void *ctx, const struct report_recipient *r), void *ctx, struct err *err) {
    const struct history_removed *removed = view_removed(v, row->id);
    if (removed) return history_removed_fail(removed, err);
    struct fold *fold = malloc(sizeof *fold);
    struct chunk_row chunk;
    if (!fold) return err_set(err, ERR_SYSTEM, "out of memory");
    int found = view_chunk_first(v, row->id, 0, &chunk, err);
    while (found == 1) {
        const struct chunk_table *table = NULL;
        found = view_fold(v, &chunk, fold, err);
        if (found == 0 && !(table = view_table(v, &chunk, err))) found = -1;
        for (unsigned i = 0; found == 0 && i < fold->count; i++) {
            struct report_recipient r = {chunk_rid(chunk.id, i), chunk_table_address(table, i),
                                         &fold->slots[i]};
            found = each(ctx, &r);
        }
        if (found == 0) found = view_chunk_next(v, &chunk, err);
    }
    free(fold);
    return found;
}

struct finding {
    unsigned slot;
    struct fold *fold;
    void (*each)(void *ctx, const struct event *e);
    void *ctx;
};

static void find_event(void *ctx, const struct event *e) {
    struct finding *f = ctx;
    fold_event(f->fold, e);
    if (f->each && slots_has(&e->slots, f->slot)) f->each(f->ctx, e);
}

/* Local parts that differ in the case of letters were one recipient at load (address.h), so they are here. */
static int slot_of(const struct chunk_table *t, unsigned count, struct slice address) {
    for (unsigned i = 0; i < count; i++)
        if (slice_eq_nocase(chunk_table_address(t, i), address)) return (int)i;
    return -1;
}

int report_find(struct view *v, const struct campaign_row *row, const struct address *address,
                struct report_recipient *r, void (*each)(void *ctx, const struct event *e), void *ctx,
                struct err *err) {
    static _Thread_local struct fold fold;
    struct chunk_row chunk;
    int found = view_hash_first(v, row->id, address_hash(row->hash_seed, address), &chunk, err);
    for (; found == 1; found = view_hash_next(v, &chunk, err)) {
        const struct chunk_table *table = view_table(v, &chunk, err);
        if (!table) return -1;
        int slot = slot_of(table, chunk.count, address->text);
        if (slot < 0) continue;
        struct finding f = {(unsigned)slot, &fold, each, ctx};
        fold_init(&fold, chunk.count);
        if (view_events(v, &chunk, find_event, &f, err)) return -1;
        *r = (struct report_recipient){chunk_rid(chunk.id, (unsigned)slot),
                                       chunk_table_address(table, (unsigned)slot), &fold.slots[slot]};
        return 1;
    }
    return found;
}
