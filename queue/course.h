/* Changing how a campaign is treated among others (struct campaign_course). Pure. */
#ifndef TSUBAME_COURSE_H
#define TSUBAME_COURSE_H

#include "row.h"

const char *campaign_priority_name(enum campaign_priority priority); /* "bulk", "transactional" */
bool campaign_priority_parse(struct slice name, enum campaign_priority *priority);

/* What is to be changed, and to what. */
struct campaign_change {
    bool priority, weight, not_before, deadline;
    struct campaign_course to;
};

/* Is it a course that can be kept? ERR_INPUT: weight out of its range; a deadline that has passed, or is not
 * after not_before. */
int campaign_course_check(const struct campaign_course *course, wall_us now, struct err *err);

/* Changes the row's course; a new not_before moves the campaign's end (`expires`) with it, so that it has as
 * long as it was given. Nothing is changed on -1 (as campaign_course_check; only what is changed is checked
 * against `now`). */
int campaign_course_change(struct campaign_row *row, const struct campaign_change *change, wall_us now,
                           struct err *err);

/* "priority transactional, weight 300, not before 2026-07-01T08:00:00Z, deadline none", for people. */
struct buf;
void campaign_change_say(const struct campaign_change *change, struct buf *out);

/* From when on mails of it are made: their Date. */
static inline wall_us campaign_row_begins(const struct campaign_row *row) {
    return row->course.not_before > row->ready ? row->course.not_before : row->ready;
}

#endif
