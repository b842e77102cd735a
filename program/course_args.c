/* From words to a course, and to the server. Times travel as microseconds since 1970. */
#include "course_args.h"

#include "units.h"

bool course_time(struct slice text, wall_us now, wall_us *t) {
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

void course_change_to_json(struct jdoc *request, const struct campaign_change *change) {
    const struct campaign_course *to = &change->to;
    if (change->priority) jdoc_put_text(request, "priority", slice_of(campaign_priority_name(to->priority)));
    if (change->weight) jdoc_put_number(request, "weight", to->weight);
    if (change->not_before) jdoc_put_number(request, "not_before", to->not_before);
    if (change->deadline) jdoc_put_number(request, "deadline", to->deadline);
}

void course_to_json(struct jdoc *request, const struct campaign_course *course) {
    struct campaign_change all = {true, course->weight != 0, true, true, *course};
    course_change_to_json(request, &all);
}

int course_from_json(const struct jdoc *request, struct campaign_change *change, struct err *err) {
    struct slice priority = jdoc_text(request, "priority");
    *change = (struct campaign_change){.priority = priority.len > 0,
                                       .weight = jdoc_get(request, "weight") != NULL,
                                       .not_before = jdoc_get(request, "not_before") != NULL,
                                       .deadline = jdoc_get(request, "deadline") != NULL};
    int64_t weight = jdoc_number(request, "weight", 0);
    change->to.not_before = jdoc_number(request, "not_before", 0);
    change->to.deadline = jdoc_number(request, "deadline", 0);
    if (priority.len && !campaign_priority_parse(priority, &change->to.priority))
        return err_set(err, ERR_INPUT, "the priority '%.*s' is not known",
                       priority.len > 40 ? 40 : (int)priority.len, priority.at);
    if (change->weight && (weight < 1 || weight > WEIGHT_MOST))
        return err_set(err, ERR_INPUT, "a campaign's weight is 1 to %d", WEIGHT_MOST);
    if (change->to.not_before < 0 || change->to.deadline < 0)
        return err_set(err, ERR_INPUT, "a time before 1970 was asked for");
    change->to.weight = (uint32_t)weight;
    return 0;
}
