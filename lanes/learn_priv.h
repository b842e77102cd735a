/* Between the files of learn. */
#ifndef TSUBAME_LEARN_PRIV_H
#define TSUBAME_LEARN_PRIV_H

#include "learn.h"

#define DAY           (INT64_C(86400) * US_PER_SEC)
#define SHUT_IS_QUOTA (INT64_C(3600) * US_PER_SEC) /* longer than any window of an hour */
#define SOON          (3 * US_PER_SEC)

/* What a reply to a message or a connection may speak of. */
enum suspect {
    SUSPECT_NOBODY, /* the server took the message in hand and said no to this recipient, sender or content */
    SUSPECT_NOTHING, /* neither: one mailbox, the network */
    SUSPECT_GREY,    /* this recipient is to come again: the server was asked, and looked */
    SUSPECT_ANY,     /* its words don't say */
    SUSPECT_PACE,
    SUSPECT_CROWD,
    SUSPECT_KNOCK,
    SUSPECT_SPAN,
    SUSPECT_PAUSE
};
enum suspect learn_suspect(const struct learn_reply *reply);

/* The session was refused before it was in, and is counted out but for its crowd. Returns what is blamed. */
enum learn_dimension learn_blame_connection(struct learn *l, struct learn_session *s,
                                            const struct learn_reply *reply, mono_us now);
/* What it was opened for is answered. True: it was a try at another host. */
bool learn_tried_elsewhere(struct learn *l, struct learn_session *s);
/* The same as learn_blame_connection where only one of its hosts did so, and it goes on to the next. */
void learn_blame_host(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us now);
void learn_blame_message(struct learn *l, struct learn_session *s, const struct learn_reply *reply,
                         mono_us rtt, mono_us now);
/* The server ended a session without refusing a message. */
void learn_blame_end(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us now);

void learn_note(struct learn *l, const struct learn_change *change);
/* The same in parts; reply: NULL for none. */
void learn_tell(struct learn *l, enum learn_dimension d, double from, double to, enum learn_cause cause,
                const struct learn_reply *reply, mono_us now);
/* What was said about that dimension last stays with it. */
void learn_tell_again(struct learn *l, enum learn_dimension d, double from, double to, enum learn_cause cause,
                      mono_us now);
#define OUTAGE_FIRST US_PER_SEC
#define OUTAGE_MOST  (20 * US_PER_SEC)

/* From granting a window to its last answer, about. */
mono_us learn_rtt(const struct learn *l);
/* Steps of a pace that are due. The second: of all that there are; returns when the next one is. */
void learn_step_pace(struct learn *l, struct pace *p, mono_us now);
mono_us learn_step_paces(struct learn *l, mono_us now);
void learn_open_gate(struct learn *l, mono_us now);
void learn_turn_quota(struct learn *l, mono_us now); /* past its reset */
void learn_beyond_quota(struct learn_quota *q);      /* one more was taken */
/* The session that is to try whether the gate is open has not come to it: that is not asked again only after
 * a whole pause. */
void learn_no_try(struct learn *l, const struct learn_session *s);
void learn_quota_found(struct learn *l, mono_us now); /* nothing was taken for too long to be a rate */

/* So many messages of that session are not under way any more. */
void learn_land(struct learn *l, struct learn_session *s, unsigned n, mono_us now);
uint32_t learn_in(const struct learn *l); /* connections, of all hosts */
struct crowd *learn_crowd(struct learn *l, unsigned host);
struct pace *learn_pace(struct learn *l, unsigned host);
/* A message was taken by that host, or refused for its rate. True: from now on each host has a pace of its
 * own. */
bool learn_share(struct learn *l, unsigned host, bool taken, mono_us now);
/* From now on each host counts its connections for itself. */
void learn_split(struct learn *l, mono_us now);
void learn_shut(struct learn *l, enum learn_dimension kind, mono_us least, mono_us most,
                const struct learn_reply *reply, mono_us now);

#endif
