/* The control socket's framing: one JSON object a line each way, descriptors beside a request. Blocking; both
 * ends use it (the server's sockets have time-outs, a client waits as long as its person does).
 *
 * A request has "do"; what it may be stands in ctl_answer.c. Replies come one or more: those with "more":
 * true are progress, the last has "ok", and when that is false "kind" (enum err_kind) and "error". */
#ifndef TSUBAME_TALK_H
#define TSUBAME_TALK_H

#include "buf.h"
#include "err.h"
#include "jdoc.h"

enum { TALK_LINE_MAX = 8 << 20, TALK_REQUEST_MAX = 64 << 10, TALK_FDS = 4 };

struct talk {
    int fd;
    struct buf in;
    int fds[TALK_FDS]; /* received and not taken */
    unsigned fd_count;
};

void talk_init(struct talk *w, int fd,
               size_t most); /* most: bytes of a line that comes; takes the descriptor */
void talk_done(struct talk *w);

/* Connects to the server. ERR_ABSENT: there is none. */
int talk_connect(struct talk *w, const char *path, struct err *err);

/* Sends one object with up to TALK_FDS descriptors (which stay the caller's). */
int talk_send(struct talk *w, const struct jdoc *object, const int *fds, unsigned count, struct err *err);

/* The next object (jdoc_free), or NULL with err; ERR_ABSENT at the end of the conversation. */
struct jdoc *talk_receive(struct talk *w, struct err *err);

/* Sends a request and takes replies: `progress` gets those with "more", the last one is returned; a refusal
 * becomes err and NULL. */
struct jdoc *talk_ask(struct talk *w, const struct jdoc *request, const int *fds, unsigned count,
                      void (*progress)(void *ctx, const struct jdoc *reply), void *ctx, struct err *err);

/* {"ok": false, ...} of an error, and the error of such an object. */
struct jdoc *talk_refusal(const struct err *err);
void talk_take_refusal(const struct jdoc *reply, struct err *err);

#endif
