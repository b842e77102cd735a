/* Reading a scenario: what its parts share. For sim_scenario.c, sim_read.c, sim_read_hosts.c and
 * sim_read_lists.c only. Each reader returns 0, or -1 with the reader's err: file, line, column and what was
 * expected. */
#ifndef TSUBAME_SIM_READ_H
#define TSUBAME_SIM_READ_H

#include "sim_scenario.h"
#include "yamltree.h"

struct reader {
    struct sim_scenario *s;
    struct sim_provider start; /* what a provider starts with: the defaults of the file */
    struct err *err;
};

int read_fail(struct reader *r, const struct yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int read_want(struct reader *r, const struct yaml *node, enum yaml_kind kind);
int read_unknown_key(struct reader *r, const struct yaml *node, const char *where);

/* Printable, so that it may stand in a log and be shown again; also quotes, backslashes and line ends, where
 * it may be long. */
bool read_is_plain(struct slice text, bool long_text);

int read_number(struct reader *r, const struct yaml *node, double most, uint32_t *value);
int read_real(struct reader *r, const struct yaml *node, double most, double *value);
int read_time(struct reader *r, const struct yaml *node, double most, double *seconds);
int read_clock(struct reader *r, const struct yaml *node, double *seconds);
int read_word(struct reader *r, const struct yaml *node, const char *const *words, uint32_t *value);

/* A key of the table, or a section of them. *done: it was one. */
int read_keys(struct reader *r, const struct yaml *node, struct sim_provider *p, bool *done);
/* A map that holds keys of one section. */
int read_section(struct reader *r, const struct yaml *map, const char *section, struct sim_provider *p);

int read_domains(struct reader *r, const struct yaml *node, struct sim_provider *p);
int read_hosts(struct reader *r, const struct yaml *node, struct sim_provider *p);
int read_manners(struct reader *r, const struct yaml *node, struct sim_provider *p);

int read_faults(struct reader *r, const struct yaml *node, struct sim_provider *p);
int read_replies(struct reader *r, const struct yaml *node, struct sim_provider *p);
/* Changes, groups and maintenance, when all else of the provider is known. */
int read_last(struct reader *r, const struct yaml *node, struct sim_provider *p);

#endif
