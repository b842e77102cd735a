/* A campaign's course in requests to a server. Times travel as microseconds since 1970. */
#ifndef TSUBAME_COURSE_JSON_H
#define TSUBAME_COURSE_JSON_H

#include "course.h"
#include "jdoc.h"

void course_change_to_json(struct jdoc *request, const struct campaign_change *change);
void course_to_json(struct jdoc *request, const struct campaign_course *course); /* all of it */
/* ERR_INPUT: a value that none can have. */
int course_from_json(const struct jdoc *request, struct campaign_change *change, struct err *err);

#endif
