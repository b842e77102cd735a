/* The keys that a provider and the defaults of a scenario may have, beside names, hosts, faults and replies.
 */
#ifndef TSUBAME_SIM_KEYS_H
#define TSUBAME_SIM_KEYS_H

#include "sim_scenario.h"

enum sim_key_kind { SIM_KEY_NUMBER, SIM_KEY_REAL, SIM_KEY_SHARE, SIM_KEY_BOOL, SIM_KEY_WORD, SIM_KEY_TEXT };

struct sim_key {
    const char *section; /* NULL: of the provider itself */
    const char *name;
    enum sim_key_kind
        kind;      /* NUMBER and WORD: uint32_t, REAL and SHARE: double, BOOL: bool, TEXT: struct slice */
    size_t offset; /* in struct sim_provider */
    double most;   /* TEXT: bytes */
    const char *const *words; /* ended by NULL */
};

extern const struct sim_key sim_keys[];
extern const size_t sim_key_count;
extern const char *const sim_bool_names[];

#endif
