/* An operational error that a person can read: what failed, where, and what to do.
 *
 * Functions that can fail so return 0 or -1 and fill a struct err given by the caller. Bugs are asserts; what
 * happened to a mail is an outcome, not an error. */
#ifndef TSUBAME_ERR_H
#define TSUBAME_ERR_H

#include "slice.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_INPUT,   /* what a person or a peer gave is wrong: tell them, do not retry */
    ERR_BUSY,    /* full or not ready: the same call may work later */
    ERR_SPACE,   /* no space left on a disk */
    ERR_SYSTEM,  /* the system or a library refused */
    ERR_CORRUPT, /* stored data is not what it must be */
    ERR_ABSENT   /* what was asked for does not exist */
};

struct err {
    enum err_kind kind;
    char text[512];
};

/* Always -1, so that `return err_set(...)` reads well. A text too long is cut, and what could steer a
 * terminal or begin a line of its own becomes '?' (shown.h): texts quote what strangers gave. err may be
 * NULL. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(errnum) behind it; ENOSPC and EDQUOT become ERR_SPACE. */
int err_errno(struct err *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there. Always -1. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
