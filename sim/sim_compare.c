/* A merge join of two tables of hashes, sorted by address and then by Message-ID. */
#include "sim_compare.h"

#include "hash.h"
#include "sim_tsv.h"

#include <stdio.h>
#include <stdlib.h>

const char *const sim_state_names[] = {"delivered", "failed",    "suppressed", "cancelled", "expired",
                                       "pending",   "uncertain", "missing",    NULL};
const char *const sim_violation_names[] = {"not-accepted", "lost",          "duplicate", "stray", "wrong-id",
                                           "unknown-user", "still-pending", "repeated",  NULL};
const char *const sim_violation_texts[] = {
    "delivered in the ledger, but never accepted (or thrown away later)",
    "accepted, but not delivered in the ledger",
    "accepted more than once, but never called uncertain",
    "accepted, but not in the ledger at all",
    "accepted with a Message-ID that the ledger does not have",
    "refused as unknown, but not failed in the ledger",
    "still pending",
    "twice in the ledger",
    NULL};

enum { WAS_UNCERTAIN = 0x100, LOW = 0xffff };

/* key: the address. value: the upper 48 bits of the Message-ID's hash, then event or state and flag. */
struct row {
    uint64_t key, value;
};

struct rows {
    struct row *at;
    size_t count, room;
};

static int add_row(struct rows *r, struct row row, struct err *err) {
    if (r->count == r->room) {
        size_t room = r->room ? r->room + r->room / 2 : 1024;
        struct row *grown = realloc(r->at, room * sizeof *grown);
        if (!grown) return err_set(err, ERR_SYSTEM, "out of memory");
        r->at = grown;
        r->room = room;
    }
    r->at[r->count++] = row;
    return 0;
}

static uint64_t key_of(struct slice address) {
    return hash_nocase(address, 0);
}

static uint64_t id_of(struct slice id) {
    id = slice_trim(id);
    if (id.len >= 2 && id.at[0] == '<' && id.at[id.len - 1] == '>')
        id = (struct slice){id.at + 1, id.len - 2};
    return hash_bytes(id, 0) & ~(uint64_t)LOW;
}

static int find_word(const char *const *words, struct slice word) {
    for (int i = 0; words[i]; i++)
        if (slice_eq(word, slice_of(words[i]))) return i;
    return -1;
}

static int read_truth(struct sim_tsv *t, struct rows *rows, struct sim_findings *f, struct err *err) {
    size_t event_at, rcpt_at, id_at, cells;
    struct slice cell[SIM_TSV_COLUMNS];
    if (sim_tsv_column(t, "event", true, &event_at, err) || sim_tsv_column(t, "rcpt", true, &rcpt_at, err) ||
        sim_tsv_column(t, "message_id", true, &id_at, err))
        return -1;
    while (sim_tsv_next(t, cell, &cells)) {
        int event = find_word(sim_event_names, sim_tsv_cell(cell, cells, event_at));
        struct slice rcpt = sim_tsv_cell(cell, cells, rcpt_at);
        if (event < 0)
            return err_set(err, ERR_INPUT, "%s:%llu: unknown event", t->name, (unsigned long long)t->line);
        f->truth_rows++;
        f->truth[event]++;
        bool counts = event <= SIM_EVENT_UNKNOWN || event == SIM_EVENT_WITHDRAWN;
        if (!counts || rcpt.len == 0) continue;
        uint64_t id = event == SIM_EVENT_UNKNOWN ? 0 : id_of(sim_tsv_cell(cell, cells, id_at));
        if (add_row(rows, (struct row){key_of(rcpt), id | (uint64_t)event}, err)) return -1;
    }
    return 0;
}

static bool has_flag(struct slice flags, const char *flag) {
    struct slice one;
    while (flags.at && slice_cut(&flags, ',', &one))
        if (slice_eq(slice_trim(one), slice_of(flag))) return true;
    return false;
}

static int read_state(const struct sim_tsv *t, struct slice text, bool allow_missing, struct err *err) {
    int state = find_word(sim_state_names, text);
    if (state >= 0 && state != SIM_STATE_MISSING) return state;
    if (text.len == 0 && allow_missing) return SIM_STATE_MISSING;
    return err_set(err, ERR_INPUT, "%s:%llu: '%.*s' is not a state", t->name, (unsigned long long)t->line,
                   text.len > 40 ? 40 : (int)text.len, text.at ? text.at : "");
}

static int read_ledger(struct sim_tsv *t, struct rows *rows, bool allow_missing, struct sim_findings *f,
                       struct err *err) {
    size_t address_at, state_at, id_at, flags_at, cells;
    struct slice cell[SIM_TSV_COLUMNS];
    if (sim_tsv_column(t, "address", true, &address_at, err) ||
        sim_tsv_column(t, "state", true, &state_at, err) ||
        sim_tsv_column(t, "message_id", true, &id_at, err) ||
        sim_tsv_column(t, "flags", false, &flags_at, err))
        return -1;
    while (sim_tsv_next(t, cell, &cells)) {
        struct slice address = sim_tsv_cell(cell, cells, address_at);
        if (address.len == 0)
            return err_set(err, ERR_INPUT, "%s:%llu: no address", t->name, (unsigned long long)t->line);
        int state = read_state(t, sim_tsv_cell(cell, cells, state_at), allow_missing, err);
        if (state < 0) return -1;
        bool was = has_flag(sim_tsv_cell(cell, cells, flags_at), "was-uncertain");
        f->ledger_rows++;
        f->ledger[state]++;
        f->was_uncertain += was;
        uint64_t value =
            id_of(sim_tsv_cell(cell, cells, id_at)) | (uint64_t)state | (was ? WAS_UNCERTAIN : 0);
        if (add_row(rows, (struct row){key_of(address), value}, err)) return -1;
    }
    return 0;
}

static int by_key_and_value(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void found(struct sim_findings *f, enum sim_violation what, uint64_t key) {
    uint64_t n = f->violation[what]++;
    if (n < SIM_EXAMPLES) f->example_key[what][n] = key;
}

static bool same_id(const struct row *a, const struct row *b) {
    return ((a->value ^ b->value) & ~(uint64_t)LOW) == 0;
}

/* All rows of one address on both sides. */
struct group {
    const struct row *truth, *ledger;
    size_t truths, ledgers;
    uint64_t key;
};

static bool is_copy(const struct row *truth) {
    return (truth->value & LOW) <= SIM_EVENT_UNANSWERED;
}

static void judge_ledger_row(const struct group *g, size_t i, bool running, struct sim_findings *f) {
    const struct row *row = &g->ledger[i];
    enum sim_state state = (enum sim_state)(row->value & 0xff);
    bool was = row->value & WAS_UNCERTAIN;
    uint64_t copies = 0, withdrawn = 0;
    for (size_t t = 0; t < g->truths; t++) {
        if (!same_id(&g->truth[t], row)) continue;
        copies += is_copy(&g->truth[t]);
        withdrawn += (g->truth[t].value & LOW) == SIM_EVENT_WITHDRAWN;
    }
    copies -= withdrawn < copies ? withdrawn : copies;
    if (i > 0 && same_id(row, row - 1)) found(f, SIM_REPEATED, g->key);
    if (copies > 1) f->second_copies += copies - 1;
    if (copies > 1 && !was && state != SIM_STATE_MISSING) found(f, SIM_DUPLICATE, g->key);
    if (state == SIM_STATE_DELIVERED && copies == 0) found(f, SIM_NOT_ACCEPTED, g->key);
    if (state == SIM_STATE_PENDING) {
        if (!running) found(f, SIM_STILL_PENDING, g->key);
        return;
    }
    bool lost = state == SIM_STATE_FAILED || state == SIM_STATE_SUPPRESSED || state == SIM_STATE_CANCELLED ||
                state == SIM_STATE_EXPIRED;
    if (lost && copies > 0 && !was) found(f, SIM_LOST, g->key);
}

static void judge_truth_rows(const struct group *g, struct sim_findings *f) {
    for (size_t t = 0; t < g->truths; t++) {
        bool known = false;
        if (!is_copy(&g->truth[t])) continue;
        for (size_t i = 0; i < g->ledgers && !known; i++)
            known = same_id(&g->truth[t], &g->ledger[i]) || (g->ledger[i].value & 0xff) == SIM_STATE_MISSING;
        if (!known) found(f, g->ledgers ? SIM_WRONG_ID : SIM_STRAY, g->key);
    }
}

/* Refused as unknown: the ledger must have it as failed, unless something else came of it. */
static void judge_unknown(const struct group *g, bool running, struct sim_findings *f) {
    bool unknown = false, explained = g->ledgers == 0;
    for (size_t t = 0; t < g->truths; t++) {
        if (is_copy(&g->truth[t])) return;
        unknown = unknown || (g->truth[t].value & LOW) == SIM_EVENT_UNKNOWN;
    }
    for (size_t i = 0; i < g->ledgers && !explained; i++) {
        enum sim_state state = (enum sim_state)(g->ledger[i].value & 0xff);
        bool lost =
            g->ledger[i].value & WAS_UNCERTAIN && state != SIM_STATE_DELIVERED; /* the sender never saw it */
        explained = lost || state == SIM_STATE_FAILED || state == SIM_STATE_MISSING ||
                    state == SIM_STATE_UNCERTAIN || (running && state == SIM_STATE_PENDING);
    }
    if (unknown && !explained) found(f, SIM_UNKNOWN_USER, g->key);
}

static void join(const struct rows *truth, const struct rows *ledger, bool running, struct sim_findings *f) {
    size_t t = 0, l = 0;
    while (t < truth->count || l < ledger->count) {
        uint64_t a = t < truth->count ? truth->at[t].key : UINT64_MAX;
        uint64_t b = l < ledger->count ? ledger->at[l].key : UINT64_MAX;
        struct group g = {.truth = truth->at + t, .ledger = ledger->at + l, .key = a < b ? a : b};
        for (; t < truth->count && truth->at[t].key == g.key; t++)
            g.truths++;
        for (; l < ledger->count && ledger->at[l].key == g.key; l++)
            g.ledgers++;
        for (size_t i = 0; i < g.ledgers; i++)
            judge_ledger_row(&g, i, running, f);
        judge_truth_rows(&g, f);
        judge_unknown(&g, running, f);
    }
}

static void append(char to[SIM_EXAMPLE_MAX], struct slice text) {
    size_t len = strlen(to), room = SIM_EXAMPLE_MAX - 1 - len;
    if (text.len > room) text.len = room;
    if (text.len) memcpy(to + len, text.at, text.len);
    to[len + text.len] = 0;
}

/* "a@b.test ledger: delivered, truth: accepted", a piece a call. */
static void describe(struct sim_findings *f, struct slice address, struct slice what, struct slice who) {
    uint64_t key = key_of(address);
    for (int v = 0; v < SIM_VIOLATIONS; v++)
        for (uint64_t i = 0; i < SIM_EXAMPLES && i < f->violation[v]; i++) {
            if (f->example_key[v][i] != key) continue;
            char *text = f->example[v][i];
            bool begun = *text;
            if (!begun) append(text, address);
            append(text, begun ? SLICE(", ") : SLICE(" "));
            append(text, who);
            append(text, what);
        }
}

/* Once more through a file for the texts behind the keys. */
static int find_examples(struct slice text, const char *name, const char *address, const char *what,
                         struct slice who, struct sim_findings *f) {
    struct sim_tsv t;
    struct slice cell[SIM_TSV_COLUMNS];
    size_t address_at, what_at, cells;
    if (sim_tsv_open(&t, text, name, NULL) || sim_tsv_column(&t, address, true, &address_at, NULL) ||
        sim_tsv_column(&t, what, true, &what_at, NULL))
        return -1;
    while (sim_tsv_next(&t, cell, &cells))
        describe(f, sim_tsv_cell(cell, cells, address_at), sim_tsv_cell(cell, cells, what_at), who);
    return 0;
}

bool sim_findings_ok(const struct sim_findings *f) {
    for (int v = 0; v < SIM_VIOLATIONS; v++)
        if (f->violation[v]) return false;
    return true;
}

int sim_compare(struct slice truth, const char *truth_name, struct slice ledger, const char *ledger_name,
                struct sim_compare_options options, struct sim_findings *f, struct err *err) {
    struct sim_tsv t, l;
    struct rows truth_rows = {0}, ledger_rows = {0};
    *f = (struct sim_findings){0};
    int rc = sim_tsv_open(&t, truth, truth_name, err);
    if (rc == 0) rc = sim_tsv_open(&l, ledger, ledger_name, err);
    if (rc == 0) rc = read_truth(&t, &truth_rows, f, err);
    if (rc == 0) rc = read_ledger(&l, &ledger_rows, options.allow_missing_states, f, err);
    if (rc == 0) {
        if (truth_rows.count) qsort(truth_rows.at, truth_rows.count, sizeof *truth_rows.at, by_key_and_value);
        if (ledger_rows.count)
            qsort(ledger_rows.at, ledger_rows.count, sizeof *ledger_rows.at, by_key_and_value);
        join(&truth_rows, &ledger_rows, options.running, f);
        if (!sim_findings_ok(f)) {
            find_examples(ledger, ledger_name, "address", "state", SLICE("ledger: "), f);
            find_examples(truth, truth_name, "rcpt", "event", SLICE("truth: "), f);
        }
    }
    free(truth_rows.at);
    free(ledger_rows.at);
    return rc;
}
