/* Loading an audience: rows of a list (audience.h) -> addresses -> sorted, without duplicates -> chunks in
 * segments and rows in the ledger, of a campaign that is *loading*. Memory is bounded whatever the size of
 * the file.
 *
 * The caller makes the campaign (it needs the columns, so the file is opened first), runs the load, and then
 * makes the campaign ready with the counts, or, when the load failed or was stopped, abandons it: nothing of
 * a campaign goes out before it is ready, and what a load left behind goes with the campaign (its rows) and
 * the next segment_sweep (its tables). One load is for one thread; several may run beside each other. */
#ifndef TSUBAME_LOAD_H
#define TSUBAME_LOAD_H

#include "audience.h"
#include "row.h"
#include "store.h"

enum load_phase {
    LOAD_READING, /* rows are read and sorted */
    LOAD_CUTTING  /* sorted rows are cut into chunks */
};

/* rows = rejected + duplicates + kept. The campaign plans kept + rejected. */
struct load_counts {
    uint64_t rows;       /* read, blank lines and the header aside */
    uint64_t rejected;   /* see reject_path */
    uint64_t duplicates; /* of an address that came before: dropped */
    uint64_t kept;
    uint32_t chunks;
    uint64_t bytes_read;
    enum load_phase phase;
    char read_as[64]; /* "CSV in UTF-8"; once it is known */
};

/* As ledger_ready wants it. */
struct tally load_tally(const struct load_counts *counts);

struct load_options {
    struct store *store;
    int fd;                      /* the list; stays the caller's; read from where it stands */
    enum list_charset charset;   /* LIST_UNKNOWN: found out */
    struct slice address_column; /* empty: found by its name */
    const char *reject_path; /* CSV of line, reason, row; made when there is something to write. NULL: none */
    size_t memory;           /* for sorting; 0: SORTER_MEMORY */
    void (*progress)(void *ctx, const struct load_counts *so_far); /* every 65,536 rows; may be NULL */
    void *ctx;
    const int
        *stop; /* read atomically now and then; the load ends with ERR_BUSY when it is not 0. NULL: none */
};

struct load;

/* Reads as far as the columns need. NULL with err (ERR_INPUT: what is wrong with the file). Strings and
 * slices of options must outlive the load. */
struct load *load_open(const struct load_options *options, struct err *err);
void load_free(struct load *l); /* NULL is fine. Not before the campaign is ready or abandoned. */

/* The columns, the address column among them; valid until load_free. */
const struct slice *load_columns(const struct load *l, size_t *count);

/* The same as campaign_row.columns has them (joined by \n). */
struct slice load_columns_text(const struct load *l);

/* How the list was read; valid until load_free. */
const struct audience *load_audience(const struct load *l);

/* A row to show to a person, once load_run is over: the first good one that is not ASCII, so that one can see
 * whether the charset was guessed right, or else the first good one. values: as many as there are columns, as
 * they were read (of JSON lines the object's text); NULL when no row was good. Valid until load_free. */
struct load_sample {
    uint64_t line;
    const struct slice *values;
};
struct load_sample load_sample(const struct load *l);

/* Reads, sorts, cuts, commits: on return 0 all chunk rows of the campaign are durable. *counts is filled in
 * any case. -1 with err: ERR_SPACE (the disk is nearly full), ERR_INPUT (no row at all is good), ERR_BUSY
 * (stopped), ERR_SYSTEM. To be called once. */
int load_run(struct load *l, uint32_t campaign, uint64_t hash_seed, struct load_counts *counts,
             struct err *err);

#endif
