/* The answers of the control socket: one request in, one JSON object out; ctl.h has who asks and how. */
#ifndef TSUBAME_CTL_ANSWER_H
#define TSUBAME_CTL_ANSWER_H

#include "instance.h"
#include "talk.h"

/* A client, in the thread that serves it. */
struct ctl_asker {
    struct instance *instance;
    struct talk *talk; /* holds the descriptors that came with the request */
    int *stop;         /* atomic; not 0: what takes long ends early */
};

/* May take long: it returns when what was asked is done, or not. The answer, or a refusal with the reason, is
 * the caller's. */
struct jdoc *ctl_answer(struct ctl_asker *asker, const struct jdoc *request);

/* What the server has counted, and what a person must know. */
void ctl_put_counters(struct jdoc *o, struct instance *in);
void ctl_put_notes(struct jdoc *list, struct instance *in, const struct campaign_status *all, size_t count);

/* Sends an object, and frees it. 0, or -1 when the client is not reached any more. */
int ctl_reply(struct talk *w, struct jdoc *object);

#endif
