/* The client side of an SMTP session (RFC 5321, 1870, 2034, 2920, 3030, 3207, 6152, 6531, 9422), without
 * sockets or clocks.
 *
 * The caller owns the connection. It hands in what arrived and what time it is, writes out what
 * smtp_client_output shows, says with smtp_client_wrote what the network took, and calls smtp_client_tick at
 * smtp_client_deadline. After any call it looks at output and deadline again. Mails are added one by one;
 * each of their recipients gets exactly one outcome. docs/smtp-session.md explains groups, deadlines and
 * outcomes.
 *
 * Callbacks come from within the inputs (input, lost, wrote, tick, add, tls_done, finish). They may call add,
 * finish, room and the other questions, but not the other inputs. `ended` and `start_tls` come last of all:
 * there the other inputs are allowed too, and in `ended` the client may be freed. */
#ifndef TSUBAME_SMTP_CLIENT_H
#define TSUBAME_SMTP_CLIENT_H

#include "buf.h"
#include "clock.h"
#include "smtp_reply.h"

enum smtp_tls { SMTP_TLS_OFF, SMTP_TLS_OPPORTUNISTIC, SMTP_TLS_REQUIRED };

/* Where in the conversation. Stored in the ledger: numbers don't change. */
enum smtp_stage {
    SMTP_STAGE_NONE = 0,
    SMTP_STAGE_CONNECT = 1, /* never from the session itself: for its caller */
    SMTP_STAGE_GREETING = 2,
    SMTP_STAGE_EHLO = 3, /* or HELO */
    SMTP_STAGE_STARTTLS = 4,
    SMTP_STAGE_TLS = 5, /* the handshake */
    SMTP_STAGE_MAIL = 6,
    SMTP_STAGE_RCPT = 7,
    SMTP_STAGE_DATA = 8,
    SMTP_STAGE_DOT = 9, /* content and its end, after DATA */
    SMTP_STAGE_RSET = 10,
    SMTP_STAGE_QUIT = 11,
    SMTP_STAGE_BDAT = 12 /* content, by BDAT */
};
const char *smtp_stage_name(enum smtp_stage stage); /* "RCPT", "end of data", "greeting"; "?" for none */

enum smtp_result {
    SMTP_DELIVERED = 1, /* the content's own 250 */
    SMTP_REFUSED,   /* 4xx or 5xx: see reply and stage. With why SMTP_WHY_LOCAL the reply is made up here */
    SMTP_UNCERTAIN, /* the content was handed to the network to its end and never answered */
    SMTP_NOT_SENT   /* surely not taken: safe to give to another session */
};
const char *smtp_result_name(enum smtp_result result);

/* Why a session ended, or a mail went no further. */
enum smtp_why {
    SMTP_WHY_NONE = 0, /* the reply says it */
    SMTP_WHY_DONE,     /* QUIT, after smtp_client_finish or max_messages */
    SMTP_WHY_LOST,     /* end of stream, reset, broken TLS */
    SMTP_WHY_TIMEOUT,  /* the step's deadline passed */
    SMTP_WHY_REFUSED,  /* greeting, or EHLO and HELO, refused: see reply */
    SMTP_WHY_CLOSING,  /* 421: see reply */
    SMTP_WHY_PROTOCOL, /* garbage, a reply before its question, a code of the wrong class, an oversized reply
                        */
    SMTP_WHY_TLS_MISSING, /* required, but not offered or refused */
    SMTP_WHY_TLS_FAILED,  /* the handshake failed; an opportunistic caller may connect again with SMTP_TLS_OFF
                           */
    SMTP_WHY_CONTENT,     /* the content callback failed; other mails of the session get SMTP_WHY_CUT */
    SMTP_WHY_LOCAL,       /* this mail can't go to this server: SIZE, 8BITMIME, SMTPUTF8, malformed address */
    SMTP_WHY_CUT,         /* the caller ended it: smtp_client_lost with this */
    SMTP_WHY_LIMIT,   /* more recipients, domains or mails than the server takes at once: another transaction,
                       * or another session, may take it (RFC 5321 section 4.5.3.1.10, RFC 9422) */
    SMTP_WHY_CHUNKING /* the server offers CHUNKING, but does not know BDAT: see reply */
};
const char *smtp_why_name(enum smtp_why why);

struct smtp_client_options {
    struct slice helo; /* name for EHLO: copied */
    enum smtp_tls tls;
    bool pipelining_allowed;
    bool chunking_allowed; /* BDAT instead of DATA where the server offers it */
    unsigned bodies_max;   /* most contents that wait for their answer, by BDAT; 0: SMTP_BODIES_MAX */
    unsigned max_messages; /* of this session: QUIT after so many were begun; 0: no bound */
    double timeout_scale;  /* of the deadlines; 0 or 1 outside of tests */
    size_t output_max;     /* most bytes of output held: bounds a mail's content; 0: 64 MB */
};

enum { SMTP_RCPTS_MAX = 64, SMTP_BODIES_MAX = 8 };

/* A session that has had nothing to do for that long may have been closed by the server without our knowing.
 */
#define SMTP_REST_US US_PER_SEC

/* One content for one or several recipients in one transaction. Slices, and the array `to`, are borrowed
 * until the last recipient's outcome. */
struct smtp_mail {
    uint64_t tag;           /* the caller's: comes back with content and outcomes */
    struct slice from;      /* without <>; may be empty */
    const struct slice *to; /* without <> */
    unsigned to_count;      /* 1..SMTP_RCPTS_MAX */
    uint64_t size;          /* bytes of content, for SIZE; 0: unknown. May be an estimate, slightly above. */
    bool eightbit;          /* the content has bytes above 127 */
};

struct smtp_outcome {
    enum smtp_result result;
    enum smtp_stage stage;          /* of the answer, or how far the mail had come */
    enum smtp_why why;              /* SMTP_WHY_NONE when the mail's own answer decided */
    bool begun;                     /* its MAIL was sent: NOT_SENT with begun over and over wants an end.
                                     * (With why SMTP_WHY_LIMIT it has one: the first recipient counts) */
    const struct smtp_reply *reply; /* the answer; else the reply that ended the session; NULL where none */
    struct slice text;              /* words for people: the reply's text or what happened. Never empty. */
};

struct smtp_end {
    enum smtp_why why;
    enum smtp_stage stage;          /* the step under way */
    const struct smtp_reply *reply; /* that ended it; NULL where none */
    struct slice text;              /* as in the outcome */
    unsigned mails;                 /* whose MAIL was answered before */
    bool chunking_failed; /* it ended as if this host mishandled BDAT: better not to be allowed next time */
};

/* None may be NULL. Slices and replies are valid during the call. */
struct smtp_client_events {
    /* Exactly once for each recipient (index in `to`) of each mail added, in the order of answers. */
    void (*outcome)(void *ctx, uint64_t tag, unsigned rcpt, const struct smtp_outcome *outcome);
    /* Append the whole content of that mail (RFC 5322, CRLF lines, not dot-stuffed) to out; change nothing
     * that is there. At most once for a mail: not when all its recipients were refused before. Not 0, or
     * out->failed: the mail is NOT_SENT with SMTP_WHY_CONTENT, and after DATA the session ends, for nothing
     * else takes back a 354. */
    int (*content)(void *ctx, uint64_t tag, struct buf *out);
    /* The session is set up, or has answered mails: smtp_client_room says how many it takes (at least 1). */
    void (*ready)(void *ctx);
    /* Do the client's handshake now; then smtp_client_tls_done. Output is empty. */
    void (*start_tls)(void *ctx);
    /* The session is over, all mails had their outcome: close the socket. */
    void (*ended)(void *ctx, const struct smtp_end *end);
};

struct smtp_client;

/* What EHLO offered; all false before. */
struct smtp_caps {
    bool esmtp, pipelining, size, eightbitmime, enhanced, starttls, chunking, smtputf8;
    uint64_t size_max; /* 0: no fixed limit */
    /* LIMITS (RFC 9422), 0 where not said: mails in a session, recipients in a transaction, recipients'
     * domains in a session. */
    uint32_t mail_max, rcpt_max, rcpt_domain_max;
};

enum { SMTP_CLIENT_MAILS = 16 }; /* most mails held: under way and waiting */

/* Open it when the connection stands: the greeting's deadline starts at `now`. NULL without memory. */
struct smtp_client *smtp_client_open(const struct smtp_client_options *options,
                                     const struct smtp_client_events *events, void *ctx, mono_us now);
/* Also from `ended`, not from the other callbacks. No outcomes come any more (smtp_client_lost gives them).
 * NULL is fine. */
void smtp_client_free(struct smtp_client *c);

/* Bytes of the peer; of the decrypted stream under TLS. */
void smtp_client_input(struct smtp_client *c, struct slice bytes, mono_us now);

/* The connection is gone or given up: why is SMTP_WHY_LOST, SMTP_WHY_TIMEOUT or SMTP_WHY_CUT; text says it
 * for people. Outcomes and `ended` follow from within. Hand over what the peer had said before. */
void smtp_client_lost(struct smtp_client *c, enum smtp_why why, struct slice text, mono_us now);

/* The deadline passed. Harmless before. */
void smtp_client_tick(struct smtp_client *c, mono_us now);

/* The handshake of start_tls is over. */
void smtp_client_tls_done(struct smtp_client *c, bool ok, struct slice text, mono_us now);

/* At any time before the end, also before the session is set up. False, and nothing done, when
 * smtp_client_room is 0. */
bool smtp_client_add(struct smtp_client *c, const struct smtp_mail *mail, mono_us now);

/* How many mails `add` takes now: bounded by SMTP_CLIENT_MAILS and max_messages; 0 after finish and the end.
 */
unsigned smtp_client_room(const struct smtp_client *c);

/* How many more mails would keep it busy: those that it would begin now, and with DATA two that wait. Few, so
 * that what is rendered does not pile up. At most smtp_client_room. */
unsigned smtp_client_wanted(const struct smtp_client *c);

/* Most recipients that one mail may have, by what the server has said so far: 1..SMTP_RCPTS_MAX. Those above
 * are NOT_SENT with SMTP_WHY_LIMIT. */
unsigned smtp_client_rcpts(const struct smtp_client *c);

/* Mails with recipients that have no outcome yet. */
unsigned smtp_client_pending(const struct smtp_client *c);

/* No more mails: QUIT when all are answered, then `ended` with SMTP_WHY_DONE. Before the session is set up
 * and without mails: at once. */
void smtp_client_finish(struct smtp_client *c, mono_us now);

/* Bytes that wait to be written; valid until the next call of an input function. */
struct slice smtp_client_output(const struct smtp_client *c);

/* The network (or TLS) took the first n of them. */
void smtp_client_wrote(struct smtp_client *c, size_t n, mono_us now);

/* When to call smtp_client_tick at the latest; NEVER while nothing is waited for (an idle session is the
 * caller's to finish). */
mono_us smtp_client_deadline(const struct smtp_client *c);

const struct smtp_caps *smtp_client_caps(const struct smtp_client *c);
bool smtp_client_is_ready(const struct smtp_client *c); /* set up, and not ending */

#endif
