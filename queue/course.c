/* How a campaign is treated among others. */
#include "course.h"

#include "buf.h"

static const char *const names[PRIORITIES] = {"bulk", "transactional"};

const char *campaign_priority_name(enum campaign_priority priority) {
    return (unsigned)priority < PRIORITIES ? names[priority] : "?";
}

bool campaign_priority_parse(struct slice name, enum campaign_priority *priority) {
    for (unsigned i = 0; i < PRIORITIES; i++)
        if (slice_eq(name, slice_of(names[i]))) {
            *priority = (enum campaign_priority)i;
            return true;
        }
    return false;
}

static int check(const struct campaign_course *c, bool new_deadline, wall_us now, struct err *err) {
    if (c->weight > WEIGHT_MOST)
        return err_set(err, ERR_INPUT, "a campaign's weight is 1 to %d, not %u", WEIGHT_MOST, c->weight);
    char deadline[CLOCK_TEXT_MAX], begin[CLOCK_TEXT_MAX];
    clock_rfc3339(c->deadline, deadline);
    clock_rfc3339(c->not_before, begin);
    if (new_deadline && c->deadline && c->deadline <= now)
        return err_set(err, ERR_INPUT, "the deadline %s has passed", deadline);
    if (c->deadline && c->deadline <= c->not_before)
        return err_set(err, ERR_INPUT, "the deadline %s is not after %s, before which nothing is sent",
                       deadline, begin);
    return 0;
}

int campaign_course_check(const struct campaign_course *course, wall_us now, struct err *err) {
    return check(course, true, now, err);
}

int campaign_course_change(struct campaign_row *row, const struct campaign_change *change, wall_us now,
                           struct err *err) {
    struct campaign_course to = row->course;
    if (change->priority) to.priority = change->to.priority;
    if (change->weight) to.weight = change->to.weight;
    if (change->not_before) to.not_before = change->to.not_before;
    if (change->deadline) to.deadline = change->to.deadline;
    if (check(&to, change->deadline, now, err)) return -1;
    wall_us before = campaign_row_begins(row);
    row->course = to;
    wall_us moved = campaign_row_begins(row) - before;
    if (moved < 0 || row->expires < NEVER - moved) row->expires += moved;
    return 0;
}

static void say_time(struct buf *out, const char *what, wall_us at, bool *any) {
    char text[CLOCK_TEXT_MAX];
    clock_rfc3339(at, text);
    buf_printf(out, "%s%s %s", *any ? ", " : "", what, at ? text : "none");
    *any = true;
}

void campaign_change_say(const struct campaign_change *change, struct buf *out) {
    const struct campaign_course *to = &change->to;
    bool any = false;
    if (change->priority) buf_printf(out, "priority %s", campaign_priority_name(to->priority)), any = true;
    if (change->weight) buf_printf(out, "%sweight %u", any ? ", " : "", to->weight), any = true;
    if (change->not_before) say_time(out, "not before", to->not_before, &any);
    if (change->deadline) say_time(out, "deadline", to->deadline, &any);
}
