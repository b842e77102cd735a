/* What the commands that only read share: the store opened beside whoever works on it, and a view of it. */
#ifndef TSUBAME_READING_H
#define TSUBAME_READING_H

#include "command.h"
#include "report.h"

struct reading {
    struct store *store;
    struct view *view;
};

/* An exit code; on EXIT_DONE reading_close closes. */
int reading_open(struct reading *r, const struct options *o, uint32_t only);
void reading_close(struct reading *r);

/* On standard error, where what is printed is for other programs. */
void reading_say_gap(const struct reading *r);

/* The campaign of that name or number, or NULL with EXIT_ABSENT said. */
const struct campaign_row *reading_campaign(struct reading *r, const char *name);

/* How Message-IDs of a campaign are made. */
struct identity {
    struct rid_key key;
    bool known;
    bool shared; /* one for each chunk: deliver/mail.c */
    uint32_t tenant;
    char domain[256];
};
void reading_identity(struct reading *r, const struct options *o, const struct campaign_row *row,
                      struct identity *id);
/* "rid@domain", or nothing when it is not known. */
void identity_put(const struct identity *id, uint64_t rid, struct buf *out);

#endif
