/* The inside of the client session, shared by smtp_client.c (inputs, queue of questions, outcomes),
 * smtp_group.c (what goes out next) and smtp_steps.c (the table of steps). Nobody else includes this. */
#ifndef TSUBAME_SMTP_SESSION_H
#define TSUBAME_SMTP_SESSION_H

#include "smtp_client.h"

enum { NO_SLOT = -1, HELO_MAX = 255 };
/* Output: its bound; what is kept allocated when it is empty, and when no mail is held either; what may wait
 * when the next body is put behind it. */
enum { OUTPUT_DEFAULT = 64 << 20, OUTPUT_KEPT = 128 << 10, OUTPUT_IDLE = 4 << 10, OUTPUT_AHEAD = 64 << 10 };
enum { WRITE_SECONDS = 180, TLS_SECONDS = 120 };
/* A mail asks at most RSET, MAIL, its RCPTs and two more; a mail with all recipients has room besides what is
 * asked before. */
enum { MAIL_QUESTIONS = SMTP_RCPTS_MAX + 4, QUESTIONS = 2 * MAIL_QUESTIONS };

enum step_id {
    STEP_GREETING,
    STEP_EHLO,
    STEP_HELO,
    STEP_STARTTLS,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_DOT,
    STEP_BDAT,
    STEP_RSET,
    STEP_QUIT
};

enum phase { PHASE_SETUP, PHASE_TLS, PHASE_READY, PHASE_QUIT, PHASE_OVER };

enum held_state { HELD_WAITING, HELD_BEGUN, HELD_BODY /* its content is in the output */ };

/* A mail. It is answered when no recipient is open. */
struct held {
    struct smtp_mail mail;
    enum held_state state;
    enum smtp_stage stage; /* what its next answer is about */
    uint64_t open;         /* a bit for each recipient without an outcome */
    uint64_t taken;        /* whose RCPT was answered 25x */
    unsigned questions;    /* that wait for an answer, also after the last outcome */
    uint64_t body_end;     /* output position behind its content (and dot) */
};

struct question {
    uint64_t end; /* output position behind it */
    uint8_t step; /* enum step_id */
    int8_t slot;  /* NO_SLOT: of no mail */
    uint8_t rcpt; /* index of the recipient, at STEP_RCPT */
};
_Static_assert(SMTP_CLIENT_MAILS <= INT8_MAX && SMTP_RCPTS_MAX <= 64, "fit their fields and masks");

struct smtp_client {
    struct smtp_client_events events;
    void *ctx;
    struct smtp_client_options options;
    char helo[HELO_MAX + 1];
    struct smtp_caps caps;
    struct smtp_reader reader;
    enum phase phase;
    unsigned depth; /* of calls into the session: callbacks may call add and finish */
    mono_us now;

    struct buf out;
    size_t out_at;          /* what stands before was handed over */
    uint64_t queued, wrote; /* positions in the whole output */
    mono_us progress;       /* when the network last took something, or there was nothing to take */

    struct question questions[QUESTIONS];
    unsigned question_head, question_count;
    mono_us
        asked; /* since when the front question waits for its answer; without one, since the last answer */

    struct held held[SMTP_CLIENT_MAILS];
    unsigned held_head, held_count;
    int current;    /* the mail between MAIL and its content, or NO_SLOT: one at a time. Of BDAT groups, whose
                     * content stands in them: only the one whose MAIL went alone */
    int last;       /* the mail begun last */
    unsigned begun; /* mails so far */
    unsigned mails; /* whose MAIL was answered, with anything but 421 */
    unsigned bodies;  /* BDATs unanswered */
    unsigned domains; /* at most so many different ones among the recipients so far */
    uint64_t domain;  /* a hash of the last */
    bool pipelining;  /* offered and allowed */
    bool chunking;    /* the same */
    bool bdat_sent;
    bool bdat_proven;  /* a BDAT of this session was answered as by a server that knows it */
    bool bdat_refused; /* and a later one as by one that does not */
    bool transaction;  /* the server may hold one open: RSET before the next MAIL */
    bool finishing, quitting, tls_on, tls_due, want;

    struct smtp_end end;
    struct smtp_reply end_reply;
    char words[320];
};

/* A step of the conversation. */
struct smtp_step {
    enum smtp_stage stage;
    int seconds; /* RFC 5321 section 4.5.3.2; a QUIT is not worth waiting for */
    /* What it says. False: not said after all (the content failed), and no answer will come. */
    bool (*send)(struct smtp_client *c, const struct question *q);
    void (*take)(struct smtp_client *c, const struct question *q, const struct smtp_reply *reply);
};
extern const struct smtp_step smtp_steps[STEP_QUIT + 1];

/* Sends a step and puts its question into the queue. False: the step was not said, or the session is over. */
bool smtp_ask(struct smtp_client *c, enum step_id step, int slot, unsigned rcpt);

/* Ends it, once: every mail left gets its outcomes from within, `ended` follows when the call into the
 * session returns. An empty text takes the reply's, or the reason's name. */
void smtp_end_session(struct smtp_client *c, enum smtp_why why, enum smtp_stage stage,
                      const struct smtp_reply *reply, struct slice text);
void smtp_protocol_error(struct smtp_client *c, const char *what, enum smtp_stage stage,
                         const struct smtp_reply *reply);

/* The outcome of those of the mail's recipients that are in the mask and open. When the last is answered its
 * slot may be another mail's. An empty text is filled in. */
void smtp_answer(struct smtp_client *c, int slot, uint64_t rcpts, struct smtp_outcome outcome);
void smtp_answer_by_reply(struct smtp_client *c, int slot, uint64_t rcpts, enum smtp_result result,
                          const struct smtp_reply *reply);

/* The content could not be made: NOT_SENT. As above. */
void smtp_fail_content(struct smtp_client *c, int slot);

/* Of a mail whose envelope is through: DATA, or BDAT with the content. */
void smtp_ask_content(struct smtp_client *c, int slot);

/* The same where BDAT groups are streamed, once its MAIL, which went alone, is taken: its RCPTs and BDAT. */
void smtp_stream_behind(struct smtp_client *c, int slot);

/* Most mails of this session, by option and LIMITS; 0: no bound. */
unsigned smtp_mails_max(const struct smtp_client *c);
/* Most BDATs unanswered: one until the server has shown that it knows BDAT. */
unsigned smtp_bodies_max(const struct smtp_client *c);
/* Is there room in the output for one more? */
bool smtp_may_stream(const struct smtp_client *c);

void smtp_note_quit(struct smtp_client *c);

/* All that can be said now: groups, QUIT. Asks the caller for more. */
void smtp_pump(struct smtp_client *c);

static inline struct held *smtp_held_at(struct smtp_client *c, unsigned i) {
    return &c->held[(c->held_head + i) % SMTP_CLIENT_MAILS];
}

/* Not begun, nor answered without: an answered mail behind others keeps its slot for a while. */
static inline bool smtp_waits(const struct held *h) {
    return h->state == HELD_WAITING && h->open;
}

/* BDAT groups are sent without waiting for any answer (RFC 3030 section 2, RFC 2920). */
static inline bool smtp_streams(const struct smtp_client *c) {
    return c->pipelining && c->chunking;
}

#endif
