/* The inside of the client session, shared by smtp_client.c (inputs, queue of questions, what goes out next)
 * and smtp_steps.c (the table of steps). Nobody else includes this. */
#ifndef TSUBAME_SMTP_SESSION_H
#define TSUBAME_SMTP_SESSION_H

#include "smtp_client.h"

enum { QUESTIONS = 16, NO_SLOT = -1, OUTPUT_DEFAULT = 64 << 20, OUTPUT_KEPT = 256 << 10, HELO_MAX = 255 };
enum { WRITE_SECONDS = 180, TLS_SECONDS = 120 };

enum step_id {
    STEP_GREETING,
    STEP_EHLO,
    STEP_HELO,
    STEP_STARTTLS,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_DOT,
    STEP_RSET,
    STEP_QUIT
};

enum phase { PHASE_SETUP, PHASE_TLS, PHASE_READY, PHASE_QUIT, PHASE_OVER };

enum held_state { HELD_WAITING, HELD_BEGUN, HELD_DOTTED, HELD_ANSWERED };

struct held {
    struct smtp_mail mail;
    enum held_state state;
    enum smtp_stage stage; /* what its next answer is about */
    unsigned questions;    /* that wait for an answer, also after the outcome */
    uint64_t dot_end;      /* output position behind its dot */
};

struct question {
    enum step_id step;
    int slot;
    uint64_t end; /* output position behind it */
};

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
    mono_us asked; /* since when the front question waits for its answer */

    struct held held[SMTP_CLIENT_MAILS];
    unsigned held_head, held_count;
    int current;     /* the mail between MAIL and its dot, or NO_SLOT */
    unsigned begun;  /* mails so far */
    bool pipelining; /* offered and allowed */
    bool transaction, finishing, quitting, tls_on, tls_due, want;

    struct smtp_end end;
    struct smtp_reply end_reply;
    char words[320];
};

/* A step of the conversation. */
struct smtp_step {
    enum smtp_stage stage;
    int seconds; /* RFC 5321 section 4.5.3.2; a QUIT is not worth waiting for */
    void (*send)(struct smtp_client *c, const struct held *h);
    void (*take)(struct smtp_client *c, int slot, const struct smtp_reply *reply);
};
extern const struct smtp_step smtp_steps[STEP_QUIT + 1];

/* Sends a step and puts its question into the queue. */
void smtp_ask(struct smtp_client *c, enum step_id step, int slot);

/* Ends it, once: every mail left gets its outcome from within, `ended` follows when the call into the session
 * returns. An empty text takes the reply's, or the reason's name. */
void smtp_end_session(struct smtp_client *c, enum smtp_why why, enum smtp_stage stage,
                      const struct smtp_reply *reply, struct slice text);
void smtp_protocol_error(struct smtp_client *c, const char *what, enum smtp_stage stage,
                         const struct smtp_reply *reply);

/* The mail's outcome by its own answer. Its slot may be another mail's afterwards. */
void smtp_answer_by_reply(struct smtp_client *c, int slot, enum smtp_result result,
                          const struct smtp_reply *reply);

/* The mail's outcome when its content could not be made. As above. */
void smtp_answer_without_content(struct smtp_client *c, int slot);

#endif
