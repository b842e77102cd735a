/* The keys that a provider and the defaults of a scenario may have, beside names, hosts, lists and replies.
 */
#ifndef TSUBAME_SIM_KEYS_H
#define TSUBAME_SIM_KEYS_H

#include "sim_scenario.h"

enum sim_key_kind {
    SIM_KEY_NUMBER, /* whole, uint32_t */
    SIM_KEY_WHOLE,  /* whole, double */
    SIM_KEY_REAL,   /* double */
    SIM_KEY_SHARE,  /* 0 to 1, double */
    SIM_KEY_TIME,   /* seconds, or with ms, s, m, h, d; double, in seconds */
    SIM_KEY_CLOCK,  /* a time of day such as 03:30; double, in seconds */
    SIM_KEY_BOOL,   /* bool */
    SIM_KEY_WORD,   /* uint32_t */
    SIM_KEY_TEXT    /* printable ASCII, struct slice; most: bytes */
};

struct sim_key {
    const char *section; /* NULL: of the provider itself */
    const char *name;
    enum sim_key_kind kind;
    size_t offset; /* in struct sim_provider */
    double most;
    const char *const *words; /* ended by NULL */
};

extern const struct sim_key sim_keys[];
extern const size_t sim_key_count;
extern const char *const sim_bool_names[];

#endif
