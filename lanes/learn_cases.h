/* For tests of learn: the servers that lanes are tried on. */
#ifndef TSUBAME_LEARN_CASES_H
#define TSUBAME_LEARN_CASES_H

#include "learn_world.h"

#include <stddef.h>

extern const struct world_case learn_cases[];
extern const size_t learn_case_count;

#endif
