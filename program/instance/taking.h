/* Taking a campaign in: a list and a content become a campaign that is ready. Shared by `send` and the
 * server. */
#ifndef TSUBAME_TAKING_H
#define TSUBAME_TAKING_H

#include "engine.h"
#include "instance.h"
#include "load.h"

struct taking {
    int fd;               /* the list */
    struct slice payload; /* content_encode's bytes */
    struct slice name;
    enum list_charset charset;   /* LIST_UNKNOWN: found out */
    struct slice address_column; /* empty: found by its name */
    const char *rejects;         /* path, or NULL */
    struct slice list, template; /* names of the files, for errors; may be empty */
    bool hold;
    struct campaign_course course;
    const int *stop; /* NULL, or set to other than 0 from outside to give up */
    void (*progress)(void *ctx, const struct load_counts *so_far);
    void *ctx;
};

/* 0 with the campaign's number and the counts, or -1 with err and nothing left behind. */
int taking_run(struct instance *in, const struct taking *t, uint32_t *id, struct load_counts *counts,
               struct err *err);

/* Puts the file before what is wrong in it. Always -1. */
int taking_blame(struct slice file, struct err *err);

/* Does the content fit the columns of the file? -1 with err: what a person has to mend. */
int taking_check_content(struct slice payload, const struct slice *columns, size_t count, bool personal,
                         struct err *err);

enum { TAKING_NAME_MAX = 100 };
/* A name is 1 to TAKING_NAME_MAX bytes of UTF-8 without control characters, and not a number alone. */
int taking_check_name(struct slice name, struct err *err);

#endif
