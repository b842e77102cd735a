/* A plan as JSON: what `tsubame plan` prints and the control socket answers. */
#ifndef TSUBAME_PLAN_JSON_H
#define TSUBAME_PLAN_JSON_H

#include "engine.h"
#include "jdoc.h"

void plan_json(struct jdoc *object, const struct plan *plan);

#endif
