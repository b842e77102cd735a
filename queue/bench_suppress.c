/* What a question to the suppression list costs: bench_suppress FOLDER [ADDRESSES]. FOLDER is made and stays.
 */
#include "suppress.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUESTIONS = 1000000, SEAL_AT = 2048 };

static struct slice name(char text[64], const char *what, unsigned i) {
    return slice_make(text, (size_t)snprintf(text, 64, "%s%08u@dom%u.example.com", what, i, i % 997));
}

static void commit(struct store *store, struct ledger *l) {
    struct err err = {0};
    uint64_t sequence;
    struct store_batch *b = ledger_seal(l, false, 0, &sequence);
    if (!b) return;
    if (store_commit(store, b, 0, &err)) exit(1);
    store_batch_free(b);
    ledger_committed(l);
}

static void fill(struct store *store, struct ledger *l, unsigned from, unsigned to) {
    const struct suppress_row row = {.reason = SUPPRESS_BOUNCE};
    enum suppress_change change;
    char text[64];
    for (unsigned i = from; i < to; i++) {
        if (ledger_suppress_put(l, 0, name(text, "listed", i), &row, SUPPRESS_BY_IMPORT, 1, &change, NULL))
            exit(1);
        if (i % SEAL_AT == 0) commit(store, l);
    }
    commit(store, l);
    while (ledger_suppress_fill(l, 65536))
        continue;
}

static void ask(struct ledger *l, const char *what, unsigned among, unsigned addresses) {
    struct suppress_row row;
    struct suppress_stats before, after;
    char text[64];
    unsigned hits = 0;
    double making = 0, all = 0;
    for (int asks = 0; asks < 2; asks++) { /* the time that the names take is taken off */
        mono_us start = clock_mono();
        ledger_suppress_stats(l, &before);
        for (unsigned i = 0; i < QUESTIONS; i++) {
            struct slice address = name(text, what, (unsigned)(i * 2654435761u) % among);
            if (asks) hits += ledger_suppressed(l, 0, address, &row, NULL) == 1;
        }
        *(asks ? &all : &making) = (double)(clock_mono() - start);
    }
    ledger_suppress_stats(l, &after);
    printf("%9u on the list, asked for %-6s: %7.1f ns, %6u hits, %6llu asked the store, filter %llu KB\n",
           addresses, what, (all - making) * 1000 / QUESTIONS, hits,
           (unsigned long long)(after.asked - before.asked), (unsigned long long)(after.filter_bytes >> 10));
}

int main(int argc, char **argv) {
    struct err err = {0};
    unsigned most = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000, have = 0;
    if (argc < 2) return 2;
    struct store *store = store_open(argv[1], NULL, &err);
    struct ledger *l = store ? ledger_open(store, clock_wall(), &err) : NULL;
    if (!l) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const unsigned steps[] = {0, 1000, most};
    for (size_t i = 0; i < 3; i++) {
        fill(store, l, have, steps[i]);
        have = steps[i];
        ask(l, "other", 1 << 30, have);
        if (have) ask(l, "listed", have, have);
    }
    ledger_free(l);
    mono_us start = clock_mono();
    l = ledger_open(store, clock_wall(), &err);
    printf("opened in %.1f ms; the filter filled in ", (double)(clock_mono() - start) / 1000);
    start = clock_mono();
    while (l && ledger_suppress_fill(l, 2048))
        continue;
    printf("%.1f ms\n", (double)(clock_mono() - start) / 1000);
    ledger_free(l);
    store_free(store);
    return 0;
}
