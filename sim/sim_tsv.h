/* Tab-separated tables with a line of column names, read where they lie. */
#ifndef TSUBAME_SIM_TSV_H
#define TSUBAME_SIM_TSV_H

#include "err.h"

enum { SIM_TSV_COLUMNS = 64 };

struct sim_tsv {
    struct slice rest;
    const char *name; /* for messages */
    uint64_t line;
    size_t columns;
    struct slice head[SIM_TSV_COLUMNS];
};

int sim_tsv_open(struct sim_tsv *t, struct slice text, const char *name, struct err *err);
/* The number of a column. Where it is absent: -1 with err when it is needed, else the number of columns. */
int sim_tsv_column(const struct sim_tsv *t, const char *name, bool needed, size_t *at, struct err *err);
/* False at the end; a last line without its line end was cut off by a crash and does not count. */
bool sim_tsv_next(struct sim_tsv *t, struct slice cell[SIM_TSV_COLUMNS], size_t *cells);
/* A cell, or nothing when the row is too short. */
struct slice sim_tsv_cell(const struct slice *cell, size_t cells, size_t at);

#endif
