/* Rows of both sides sorted by address, one walk over them; Message-IDs sorted once more by themselves. */
#include "sim_sent.h"

#include "hash.h"
#include "sim_list.h"
#include "sim_tsv.h"

#include <stdlib.h>

const char *const sim_sent_names[] = {"missing",   "resent", "twice",     "stranger",
                                      "withdrawn", "no-id",  "shared-id", NULL};
const char *const sim_sent_texts[] = {"in the list, but neither accepted nor refused for good",
                                      "accepted again: the same Message-ID",
                                      "accepted more often than listed, with different Message-IDs",
                                      "accepted, but not in the list",
                                      "accepted, then thrown away: the session went over a limit",
                                      "accepted without a Message-ID",
                                      "one Message-ID for several recipients",
                                      NULL};

enum { LISTED = 0xff, LOW = 0xff };

/* key: the address. value: the upper 56 bits of the Message-ID's hash, then event or LISTED. */
struct row {
    uint64_t key, value;
};

struct rows {
    struct row *at;
    size_t count, room;
};

static int add(struct rows *r, uint64_t key, uint64_t value, struct err *err) {
    if (r->count == r->room) {
        size_t room = r->room ? r->room + r->room / 2 : 1024;
        struct row *grown = realloc(r->at, room * sizeof *grown);
        if (!grown) return err_set(err, ERR_SYSTEM, "out of memory");
        r->at = grown;
        r->room = room;
    }
    r->at[r->count++] = (struct row){key, value};
    return 0;
}

static int by_key(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void sort(struct rows *r) {
    if (r->count) qsort(r->at, r->count, sizeof *r->at, by_key);
}

static bool is_mail(uint64_t value) {
    return (value & LOW) <= SIM_EVENT_UNANSWERED;
}

static void found(struct sim_sent_findings *f, enum sim_sent_problem what, uint64_t key, uint64_t times) {
    for (uint64_t i = 0; i < times; i++) {
        uint64_t n = f->problem[what]++;
        if (n < SIM_SENT_EXAMPLES) f->example_key[what][n] = key;
    }
}

static int read_list(struct slice text, const char *name, const char *column, struct rows *rows,
                     struct sim_sent_findings *f, struct err *err) {
    struct sim_list l;
    struct slice address;
    int rc = sim_list_open(&l, text, name, column, err);
    while (rc == 0 && sim_list_next(&l, &address)) {
        f->listed++;
        rc = add(rows, hash_nocase(address, 0), LISTED, err);
    }
    sim_list_done(&l);
    return rc;
}

static int event_of(struct slice word) {
    for (int i = 0; sim_event_names[i]; i++)
        if (slice_eq(word, slice_of(sim_event_names[i]))) return i;
    return -1;
}

static int read_truth(struct slice text, const char *name, struct rows *rows, struct rows *ids,
                      struct sim_sent_findings *f, struct err *err) {
    struct sim_tsv t;
    size_t event_at, rcpt_at, id_at, cells;
    struct slice cell[SIM_TSV_COLUMNS];
    if (sim_tsv_open(&t, text, name, err) || sim_tsv_column(&t, "event", true, &event_at, err) ||
        sim_tsv_column(&t, "rcpt", true, &rcpt_at, err) ||
        sim_tsv_column(&t, "message_id", true, &id_at, err))
        return -1;
    while (sim_tsv_next(&t, cell, &cells)) {
        int event = event_of(sim_tsv_cell(cell, cells, event_at));
        struct slice rcpt = sim_tsv_cell(cell, cells, rcpt_at), id = sim_tsv_cell(cell, cells, id_at);
        if (event < 0)
            return err_set(err, ERR_INPUT, "%s:%llu: unknown event", name, (unsigned long long)t.line);
        f->truth_rows++;
        f->truth[event]++;
        if (!rcpt.len) continue;
        uint64_t key = hash_nocase(rcpt, 0), hash = hash_bytes(id, 0) & ~(uint64_t)LOW;
        if (add(rows, key, hash | (uint64_t)event, err)) return -1;
        if (!is_mail((uint64_t)event)) continue;
        if (!id.len) found(f, SIM_SENT_NO_ID, key, 1);
        if (id.len && add(ids, hash, key, err)) return -1;
    }
    return 0;
}

/* All rows of one address. */
static void judge(const struct row *row, size_t n, struct sim_sent_findings *f) {
    uint64_t listed = 0, mails = 0, different = 0, withdrawn = 0;
    bool refused = false, put_off = false;
    for (size_t i = 0; i < n; i++) {
        uint64_t what = row[i].value & LOW;
        listed += what == LISTED;
        withdrawn += what == SIM_EVENT_WITHDRAWN;
        refused = refused || what == SIM_EVENT_UNKNOWN || what == SIM_EVENT_REFUSED;
        put_off = put_off || what == SIM_EVENT_DEFERRED || what == SIM_EVENT_FAULT;
        if (!is_mail(what)) continue;
        bool seen = false;
        for (size_t k = i; k > 0 && !seen && (row[k - 1].value | LOW) == (row[i].value | LOW); k--)
            seen = is_mail(row[k - 1].value);
        mails++;
        different += !seen;
    }
    found(f, SIM_SENT_WITHDRAWN, row->key, withdrawn);
    if (!listed) {
        found(f, SIM_SENT_STRANGER, row->key, mails);
        return;
    }
    found(f, SIM_SENT_RESENT, row->key, mails - different);
    if (different > listed) found(f, SIM_SENT_TWICE, row->key, different - listed);
    uint64_t arrived = mails < listed ? mails : listed;
    f->arrived += arrived > withdrawn ? arrived - withdrawn : 0;
    if (refused)
        f->refused += listed - arrived;
    else
        found(f, SIM_SENT_MISSING, row->key, listed - arrived);
    if (!refused) *(put_off ? &f->put_off : &f->never_seen) += listed - arrived;
}

static void judge_all(struct rows *rows, struct rows *ids, struct sim_sent_findings *f) {
    sort(rows);
    sort(ids);
    for (size_t i = 0, n; i < rows->count; i += n) {
        for (n = 1; i + n < rows->count && rows->at[i + n].key == rows->at[i].key;)
            n++;
        judge(&rows->at[i], n, f);
    }
    for (size_t i = 1; i < ids->count; i++)
        if (ids->at[i].key == ids->at[i - 1].key && ids->at[i].value != ids->at[i - 1].value)
            found(f, SIM_SENT_SHARED_ID, ids->at[i].value, 1);
}

static void name_examples(struct sim_sent_findings *f, struct slice address) {
    uint64_t key = hash_nocase(address, 0);
    if (address.len >= SIM_SENT_EXAMPLE_MAX) address.len = SIM_SENT_EXAMPLE_MAX - 1;
    for (int p = 0; p < SIM_SENT_PROBLEMS; p++)
        for (uint64_t i = 0; i < SIM_SENT_EXAMPLES && i < f->problem[p]; i++) {
            if (f->example_key[p][i] != key || *f->example[p][i]) continue;
            memcpy(f->example[p][i], address.at, address.len);
            f->example[p][i][address.len] = 0;
        }
}

/* Once more through both for the addresses behind the keys. */
static void find_examples(struct slice truth, const char *truth_name, struct slice list,
                          const char *list_name, const char *column, struct sim_sent_findings *f) {
    struct sim_tsv t;
    struct sim_list l;
    struct slice cell[SIM_TSV_COLUMNS], address;
    size_t at, cells;
    if (sim_list_open(&l, list, list_name, column, NULL) == 0)
        while (sim_list_next(&l, &address))
            name_examples(f, address);
    sim_list_done(&l);
    if (sim_tsv_open(&t, truth, truth_name, NULL) || sim_tsv_column(&t, "rcpt", true, &at, NULL)) return;
    while (sim_tsv_next(&t, cell, &cells))
        if (sim_tsv_cell(cell, cells, at).len) name_examples(f, sim_tsv_cell(cell, cells, at));
}

bool sim_sent_ok(const struct sim_sent_findings *f) {
    for (int p = 0; p < SIM_SENT_PROBLEMS; p++)
        if (f->problem[p] && (p != SIM_SENT_SHARED_ID || f->unique_ids)) return false;
    return true;
}

int sim_sent_compare(struct slice truth, const char *truth_name, struct slice list, const char *list_name,
                     const char *column, bool unique_ids, struct sim_sent_findings *f, struct err *err) {
    struct rows rows = {0}, ids = {0};
    *f = (struct sim_sent_findings){.unique_ids = unique_ids};
    int rc = read_list(list, list_name, column, &rows, f, err);
    if (rc == 0) rc = read_truth(truth, truth_name, &rows, &ids, f, err);
    if (rc == 0) {
        judge_all(&rows, &ids, f);
        find_examples(truth, truth_name, list, list_name, column, f);
    }
    free(rows.at);
    free(ids.at);
    return rc;
}
