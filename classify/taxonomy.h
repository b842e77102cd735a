/* What a class means unless a rule says otherwise. */
#ifndef TSUBAME_TAXONOMY_H
#define TSUBAME_TAXONOMY_H

#include "classify.h"

struct class_row {
    const char *name;
    enum classify_hardness hardness; /* of a final failure that is certain */
    enum classify_action action;
    enum classify_scope scope;
};
const struct class_row *class_row(enum classify_class class);

#endif
