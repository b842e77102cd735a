#include "course_json.h"

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
