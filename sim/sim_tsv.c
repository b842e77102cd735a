/* Lines and cells. */
#include "sim_tsv.h"

bool sim_tsv_next(struct sim_tsv *t, struct slice cell[SIM_TSV_COLUMNS], size_t *cells) {
    struct slice line, one;
    const char *end = t->rest.len ? memchr(t->rest.at, '\n', t->rest.len) : NULL;
    if (!end) return false;
    line = (struct slice){t->rest.at, (size_t)(end - t->rest.at)};
    t->rest = slice_skip(t->rest, line.len + 1);
    t->line++;
    *cells = 0;
    while (*cells < SIM_TSV_COLUMNS && slice_cut(&line, '\t', &one))
        cell[(*cells)++] = one;
    return true;
}

int sim_tsv_column(const struct sim_tsv *t, const char *name, bool needed, size_t *at, struct err *err) {
    for (*at = 0; *at < t->columns; ++*at)
        if (slice_eq(slice_trim(t->head[*at]), slice_of(name))) return 0;
    if (!needed) return 0;
    return err_set(err, ERR_INPUT, "%s:1: there is no column '%s'", t->name, name);
}

int sim_tsv_open(struct sim_tsv *t, struct slice text, const char *name, struct err *err) {
    *t = (struct sim_tsv){.rest = text, .name = name};
    return sim_tsv_next(t, t->head, &t->columns)
               ? 0
               : err_set(err, ERR_INPUT, "%s: no line with column names", name);
}

struct slice sim_tsv_cell(const struct slice *cell, size_t cells, size_t at) {
    return at < cells ? cell[at] : (struct slice){0};
}
