/* A campaign's course on the command line: --priority, --weight, --not-before, --deadline. */
#ifndef TSUBAME_COURSE_ARGS_H
#define TSUBAME_COURSE_ARGS_H

#include "command.h"
#include "course.h"

#define COURSE_ARGS                                                                                          \
    {"priority", 0, "PRIORITY", "transactional (before all bulk mail of its lane) or bulk (the default)"},   \
        {"weight", 0, "NUMBER", "its share of a lane among those of its priority: 1 to 1000, else 100"},     \
        {"not-before", 0, "TIME", "send nothing earlier: 2026-07-01T09:00:00+09:00, or +2h from now"}, {     \
        "deadline", 0, "TIME", "when it should be through (a wish; `tsubame plan` says whether it will be)"  \
    }

/* What was given. EXIT_DONE, or EXIT_USAGE with a line on standard error. */
int course_from_args(const struct invocation *in, struct campaign_change *change);

#endif
