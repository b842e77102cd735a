/* A worker: one thread with a loop, on which sessions run, mails are rendered and signed.
 *
 * It gets sessions and windows from the owner and hands outcomes back (work.h). What it holds of a session is
 * a wire (wire.c). */
#ifndef TSUBAME_WORKER_H
#define TSUBAME_WORKER_H

#include "engine.h"
#include "hosts.h"
#include "loop.h"
#include "mailbox.h"
#include "render.h"
#include "signing.h"
#include "tls.h"
#include "trace.h"
#include "work.h"

#include <pthread.h>

struct worker {
    pthread_t thread;
    struct loop *loop;
    struct loop_wake *wake;
    struct mailbox in;
    struct mailbox *owner;
    const struct engine_options *options;
    const struct rid_key *rid_key;
    struct renderer renderer;
    struct signing signing;
    struct tls_client_ctx *tls;
    struct hosts hosts;
    struct wire *wires;   /* all of its sessions */
    struct buf spare[64]; /* buffers of mails, to be used again */
    unsigned spares;
    struct trace *traces[TRACE_MOST]; /* that want to be told (tap.h) */
    unsigned trace_count;
    bool draining;
    bool quiet_due; /* MSG_QUIET is to be said when the last wire is gone */
    bool stop;
};

/* Everything that can fail happens here; then the thread runs. */
int worker_start(struct worker *w, const struct engine_options *options, const struct rid_key *rid_key,
                 struct keyring_hook *keys, struct mailbox *owner, struct err *err);
/* Only after MSG_QUIET came from it. */
void worker_stop(struct worker *w);

/* To the owner; there is always room, because every message has a slot reserved by what the owner handed out.
 */
void worker_tell(struct worker *w, enum msg_kind kind, void *at, uint32_t index);
/* The outcome of this item is there; after that of its last one the window is the owner's again. */
void worker_done(struct worker *w, struct window *window, unsigned index);

/* wire.c: what a worker does with its sessions. */
void wire_open(struct worker *w, struct session *s);
void wire_window(struct worker *w, struct window *window);
void wire_finish(struct worker *w, struct session *s);
void wire_drain_all(struct worker *w);
void wire_cut_all(struct worker *w);
void wire_trace(struct worker *w, struct trace *t);
void wire_untrace(struct worker *w, struct trace *t);

/* mail.c: one recipient's mail. Renders it unsigned; -1 with err is a rendering failure. */
int mail_render(struct worker *w, const struct window *window, unsigned index, struct buf *out,
                struct err *err);
/* The signature and the mail. */
int mail_sign(struct worker *w, const struct window *window, const struct buf *mail, struct buf *out,
              struct err *err);
/* The return path, "" never: the From address, or VERP. */
enum { RETURN_PATH_MAX = 320 };
struct slice mail_return_path(struct worker *w, const struct window *window, unsigned index,
                              char out[RETURN_PATH_MAX]);
struct slice mail_address(const struct window *window, unsigned index);

/* outcome.c: from what the session says to what the owner is told. */
struct outcome_rules {
    const struct classify_rules *rules;
    unsigned provider;
};
void outcome_from_session(struct outcome *o, const struct outcome_rules *by, const struct smtp_outcome *said,
                          bool worked);
void outcome_from_end(struct outcome *o, const struct outcome_rules *by, enum smtp_stage stage,
                      enum smtp_why why, const struct smtp_reply *reply, struct slice text);
/* The stage, as the rules of replies know it. */
enum classify_stage outcome_where(enum smtp_stage stage);
void outcome_local(struct outcome *o, enum event_kind kind, enum smtp_stage stage, uint8_t class,
                   struct slice text);

#endif
