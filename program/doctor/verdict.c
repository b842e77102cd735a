/* Verdicts put together. */
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>

const char *verdict_name(enum verdict_result result) {
    static const char *const names[] = {"good", "advice", "wrong", "not checked"};
    return names[result];
}

void verdict_set(struct verdict *v, enum verdict_result result, const char *format, ...) {
    va_list args;
    *v = (struct verdict){.result = result};
    va_start(args, format);
    vsnprintf(v->seen, sizeof v->seen, format, args);
    va_end(args);
}

void verdict_why(struct verdict *v, const char *text) {
    snprintf(v->why, sizeof v->why, "%s", text);
}

void verdict_mend(struct verdict *v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(v->mend, sizeof v->mend, format, args);
    va_end(args);
}
