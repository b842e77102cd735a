/* What commands ask a running server, over its control socket (ctl.h). */
#ifndef TSUBAME_ASKING_H
#define TSUBAME_ASKING_H

#include "engine.h"
#include "talk.h"

/* To the server, for what only a running one can show. -1 with err, which says what to do about it. */
struct options;
int asking_connect(struct talk *server, const struct options *options, struct err *err);

/* A request that is made (and freed here). The reply (jdoc_free), or NULL with err. */
struct jdoc *asking_for(struct talk *server, struct jdoc *request, struct err *err);

/* A request with one text beside "do", or none (key NULL). The reply (jdoc_free), or NULL with err. */
struct jdoc *asking(struct talk *server, const char *what, const char *key, struct slice text,
                    struct err *err);

/* A campaign as it stands after what was asked, and what else is said with it. */
struct asked {
    struct campaign_status campaign;
    unsigned busy;     /* lanes with open sessions */
    char trouble[256]; /* what holds the server up, or "" */
};

/* what: campaign (nothing is changed), hold, resume or cancel. */
int asking_campaign(struct talk *server, const char *what, uint32_t id, struct asked *answer,
                    struct err *err);
/* Its course is changed. */
int asking_course(struct talk *server, uint32_t id, const struct campaign_change *change,
                  struct asked *answer, struct err *err);
/* By its name, of several the newest, or its number as text. ERR_ABSENT: there is none. */
int asking_find(struct talk *server, const char *name, struct asked *answer, struct err *err);

#endif
