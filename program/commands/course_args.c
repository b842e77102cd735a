/* From words to a course. */
#include "course_args.h"

#include "units.h"

/* A point in time: RFC 3339, "+2h" (from now), or "none", which is 0. */
static bool course_time(struct slice text, wall_us now, wall_us *t) {
    int64_t ahead;
    *t = 0;
    if (slice_eq(text, SLICE("none"))) return true;
    if (text.len == 0 || text.at[0] != '+') return units_time(text, t);
    if (!units_duration(slice_skip(text, 1), &ahead) || ahead > NEVER - now) return false;
    *t = now + ahead;
    return true;
}

static int take_time(const char *name, const char *text, wall_us *t, bool *given) {
    if (!text) return EXIT_DONE;
    *given = true;
    if (course_time(slice_of(text), clock_wall(), t)) return EXIT_DONE;
    return command_complain(EXIT_USAGE,
                            "--%s: '%s' is no time: give 2026-07-01T09:00:00+09:00, +2h (from now), or none",
                            name, text);
}

int course_from_args(const struct invocation *in, struct campaign_change *change) {
    const char *priority = invocation_value(in, "priority"), *weight = invocation_value(in, "weight");
    int64_t number = 0;
    *change = (struct campaign_change){.priority = priority != NULL, .weight = weight != NULL};
    if (priority && !campaign_priority_parse(slice_of(priority), &change->to.priority))
        return command_complain(EXIT_USAGE, "--priority: '%s' is none: give transactional or bulk", priority);
    if (weight && (!units_int(slice_of(weight), &number) || number < 1 || number > WEIGHT_MOST))
        return command_complain(EXIT_USAGE, "--weight: '%s' is none: give 1 to %d", weight, WEIGHT_MOST);
    change->to.weight = (uint32_t)number;
    int wrong = take_time("not-before", invocation_value(in, "not-before"), &change->to.not_before,
                          &change->not_before);
    return wrong ? wrong
                 : take_time("deadline", invocation_value(in, "deadline"), &change->to.deadline,
                             &change->deadline);
}
