/* Errors for people. */
#include "err.h"

#include "shown.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, enum err_kind kind, const char *format, ...) {
    if (!err) return -1;
    va_list args;
    va_start(args, format);
    err->kind = kind;
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    shown_clean(err->text);
    return -1;
}

int err_errno(struct err *err, int errnum, const char *format, ...) {
    if (!err) return -1;
    va_list args;
    va_start(args, format);
    err->kind = errnum == ENOSPC || errnum == EDQUOT ? ERR_SPACE : ERR_SYSTEM;
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    char reason[128];
    const char *text = strerror_r(errnum, reason, sizeof reason);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", text);
    shown_clean(err->text);
    return -1;
}

int err_wrap(struct err *err, const char *format, ...) {
    if (!err) return -1;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
    shown_clean(err->text);
    return -1;
}
