/* What owner and workers hand each other: sessions and windows, and the messages about them.
 *
 * A window is a few recipients of one chunk, leased and committed before it goes out, with room for what
 * becomes of each: the slot of an outcome is reserved when its window is made, so that an outcome can always
 * be handed back. A session is one SMTP connection, made by the owner, run by a worker. Each field has one
 * side that writes it, and what the other side reads of it was handed over through a mailbox. */
#ifndef TSUBAME_WORK_H
#define TSUBAME_WORK_H

#include "backlog.h"
#include "content.h"
#include "dkim.h"
#include "event.h"
#include "mx.h"
#include "smtp_client.h"
#include "targets.h"
#include "template.h"

#include <stdatomic.h>

/* A window of a shared mail is larger: it is one transaction as a rule. */
enum { WINDOW_MAX = 8, SHARED_WINDOW_MAX = 50, WINDOW_ALL = 0xffff };

/* A campaign's content, compiled; immutable, the owner's. */
struct campaign_content {
    struct template *template;
    bool shared;        /* one mail for all: several recipients in a transaction */
    struct arena arena; /* columns' names */
    struct slice *columns;
    size_t column_count;
    struct dkim_body *prefix; /* the hash of what all bodies begin with; NULL: nothing to speak of */
    size_t prefix_len;
};

/* What became of one recipient of a window. Written by the worker, read by the owner after MSG_DONE. */
struct outcome {
    uint8_t kind; /* enum event_kind: RETURNED, DELIVERED, DEFERRED, UNCERTAIN, FAILED */
    uint8_t stage;
    uint8_t class;
    uint8_t scope;  /* enum classify_scope */
    uint8_t action; /* enum classify_action */
    bool begun;     /* its MAIL was sent; RETURNED: yet it was surely not taken */
    bool heard;     /* the server answered it, whatever */
    uint16_t code;
    uint16_t enhanced[3];
    uint8_t hint;    /* enum classify_hint: what it asks of the lane */
    uint32_t wait_s; /* the least pause the answer asks for */
    uint16_t text_len;
    char text[EVENT_TEXT_MAX];
};

struct window_item {
    uint8_t slot;
    bool doubt;       /* an earlier copy may have been taken */
    uint16_t attempt; /* this one, from 1 */
    struct outcome outcome;
};

struct window {
    struct window *next_held; /* the owner's: of its session */
    struct window *next;      /* the owner's list of those that wait for their commit; the worker's queue */
    struct session *session;
    struct chunk *chunk; /* the owner's; held while the window lives */
    uint64_t chunk_id;
    uint64_t batch; /* may be sent when the ledger's batch of this number is durable */
    uint32_t tenant;
    mono_us granted_at, sent_at; /* the owner's; sent_at: to the worker, when its lease was durable */
    wall_us date;                /* of the mails: when their campaign became ready */
    const struct chunk_table *table;
    const struct campaign_content *content;
    const struct recent *recent; /* additions to the suppression list: suppress_is_recent */
    unsigned recent_seen;        /* their number when this window was granted */
    atomic_bool halted; /* by an order or a refusal, set by the owner: what is not begun comes back */
    unsigned count;
    unsigned settled; /* the owner's */
    unsigned heard;   /* the owner's: mails that the server answered */
    unsigned begun;   /* the worker's: items given to the session */
    unsigned said;    /* the worker's, of a shared one: items with an outcome */
    unsigned mails;   /* the worker's: transactions begun for it; read by the owner with the last outcome */
    struct window_item items[];
};

/* Was this address perhaps put on the suppression list since the window was granted? Then it goes back to be
 * looked at again. Any thread. */
struct recent;
bool suppress_is_recent(const struct window *w, struct slice address);

enum session_fault {
    FAULT_SERVER,       /* the server's or the way's to it */
    FAULT_PROXY,        /* the source's proxy does not work */
    FAULT_PROXY_REFUSED /* the proxy works, and would not or could not for this address */
};

/* A target where a session was not let in, and went on to the next. */
struct session_miss {
    struct session_miss *next;
    uint8_t target;
    enum smtp_why why;
    struct outcome end;
};

struct session {
    /* Made by the owner, constant from then on. */
    struct worker *worker;
    struct site *site; /* not to be touched by the worker */
    const char *lane;  /* its lane's name, which does not change as long as it has sessions */
    unsigned source;
    int tls; /* enum engine_tls */
    bool bdat;
    unsigned max_messages;
    unsigned provider;     /* of classify_provider() */
    bool big;              /* counts among the sessions of big lanes */
    unsigned target_count; /* addresses to try, in order */
    struct session_target *targets;
    /* The owner's. */
    struct session *prev, *next; /* of all */
    struct session *next_idle;   /* at its site, or parked at its lane */
    mono_us opened_at;
    struct learn_session learn;
    mono_us answered_at, window_done; /* the last mail, the last window */
    mono_us parked_at;
    float each_us;               /* for a mail, smoothed; 0: not known */
    enum learn_dimension blamed; /* it was not let in, which was put down to that */
    bool cut_short;              /* a mail was begun and never answered */
    unsigned windows;            /* outstanding */
    struct window *held;         /* those */
    unsigned granted;            /* recipients handed to it so far */
    bool ready_seen;             /* MSG_READY came */
    bool wants;                  /* has asked for a window and has none on its way */
    bool idle, parked;           /* in such a list */
    bool resting;                /* idle with no window outstanding: in the list of those that may be ended */
    struct session *prev_resting, *next_resting;
    bool finishing; /* told to end */
    bool ended;     /* MSG_ENDED came */
    mono_us resting_since;
    /* The worker's; read by the owner after MSG_DONE and MSG_ENDED. */
    void *wire;
    struct session_miss *misses; /* in their order; read after the first MSG_READY, or MSG_ENDED */
    bool ready;                  /* the server has let us in */
    uint8_t target;              /* the one it has come to */
    uint8_t missed; /* bits of those where nobody was there, or hung up before it said anything */
    bool encrypted; /* under TLS; set before `ready`, read by the owner after MSG_READY */
    char host[EVENT_HOST_MAX + 1]; /* "mx1.example.com [192.0.2.1]": who is spoken to */
    struct outcome end;            /* why it ended: kind 0 when it ended well */
    enum smtp_why why;             /* the same, as the conversation puts it */
    enum session_fault fault;      /* whose fault that was */
    bool proxy_works;              /* its proxy, if it has one, has answered */
    bool worked;                   /* at least one mail was answered */
    bool rested;                   /* its window came after a rest, and nothing was answered since */
    bool quiet;                    /* nothing was to be done, or all since a rest, when it ended */
};

enum msg_kind {
    /* owner to worker */
    MSG_OPEN = 1, /* session */
    MSG_WINDOW,   /* window */
    MSG_FINISH,   /* session: no more windows */
    MSG_FORGET,   /* session: the last message about it; the worker frees it */
    MSG_DRAIN,    /* begin no new mail: hand back what is not begun, end every session */
    MSG_CUT,      /* end every session now */
    MSG_TRACE,    /* trace: tell it what is said; from whoever asks, as the next */
    MSG_UNTRACE,  /* trace: no more */
    /* worker to owner */
    MSG_READY, /* session wants a window */
    MSG_DONE,  /* window, index: its outcome is there; of a shared one WINDOW_ALL: all of them are */
    MSG_ENDED, /* session: it is over, all windows that it had are done; those still on their way to it come
                  back */
    MSG_QUIET, /* worker: it holds no session any more after MSG_DRAIN or MSG_CUT */
    /* to the owner from elsewhere */
    MSG_COMMITTED, /* the oldest batch under way: index 0 durable, 1 failed */
    MSG_CALL,      /* struct call: control.c */
    MSG_STOP
};

struct msg {
    enum msg_kind kind;
    uint32_t index;
    void *at;
};

#endif
