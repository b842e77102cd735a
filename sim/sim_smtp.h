/* The server's end of SMTP (RFC 5321), strict and with faults on request. Bytes in, bytes out: the driver
 * owns the socket, the clock and the waiting.
 *
 * The driver calls sim_smtp_feed with all the bytes that it has and not yet had taken, writes `out` after the
 * truth log, and then does what `want` says. */
#ifndef TSUBAME_SIM_SMTP_H
#define TSUBAME_SIM_SMTP_H

#include "sim_crypto.h"
#include "sim_manner.h"
#include "sim_world.h"

enum sim_want {
    SIM_WANT_INPUT,
    SIM_WANT_WAIT,  /* call feed again after wait_us */
    SIM_WANT_TLS,   /* send out, then start TLS; call sim_smtp_secured when it stands */
    SIM_WANT_CLOSE, /* send out, then close */
    SIM_WANT_RESET, /* send out, then close with a TCP reset */
    SIM_WANT_STALL  /* send out, then nothing until the client goes away */
};

enum sim_phase { SIM_PHASE_GREETING, SIM_PHASE_COMMANDS, SIM_PHASE_BODY, SIM_PHASE_CHUNK };

enum { SIM_LINE_MAX = 1024, SIM_TEXT_LINE_MAX = 998, SIM_MESSAGE_ID_MAX = 300 };

/* What a gate says (sim_gate.h). */
struct sim_verdict {
    enum sim_cause cause; /* SIM_CAUSE_NONE: go on */
    enum sim_reply say;
    bool closes;
};

struct sim_rcpt {
    uint64_t key;     /* sim_address_key */
    uint32_t at, len; /* in envelope */
};

struct sim_session {
    struct sim_world *world;
    const struct sim_provider *provider;
    struct sim_name host;
    uint32_t server, client; /* IPv4, host byte order */
    uint64_t number;         /* of the connection */
    uint32_t manner;
    uint64_t host_key;
    size_t site, pool;

    /* what the gates know of it (sim_gate.c) */
    enum sim_limit over;     /* the limit that it came in over, or SIM_LIMITS */
    bool entered;            /* counted as open */
    bool turned_away;        /* has been told what it is over */
    bool rate_taken, booked; /* this message's token and place in the quota */
    bool voided;             /* all that this session brought is thrown away */
    sim_us grey_wait;
    struct buf
        brought; /* what it brought, while it may be voided: from, rcpt, Message-ID, each with its length */

    enum sim_phase phase;
    enum sim_want want;
    int64_t wait_us;
    bool waited, secure, greeted, esmtp, has_from, utf8, tls_garbage;
    uint32_t answered_early; /* a bit for each step whose answer has gone out before */
    uint32_t commands, messages, session_recipients, errors;
    bool refused_mail, refused_rcpt; /* in this transaction: nobody errs who has sent DATA behind it */

    struct buf out;
    struct buf text;     /* the reply being made */
    struct buf envelope; /* the sender, then the recipients */
    uint32_t from_len;
    struct sim_rcpt *rcpt;
    uint32_t rcpts, rcpts_room;

    /* the content under way */
    struct sim_digest digest;
    uint64_t size;
    struct buf content; /* when an observer wants it */
    bool in_header, mid_line, long_line, bare_lf, bare_cr, body_struck, want_id, header_8bit, open_end;
    /* by BDAT */
    bool chunks, chunk_last, chunk_failed;
    const char *chunk_error; /* its octets are thrown away, then this is said */
    uint64_t chunk_left;
    struct sim_verdict chunk_refusal; /* said when the chunk is there */
    struct buf line;                  /* one that the chunk before ended in the middle of */
    char message_id[SIM_MESSAGE_ID_MAX];
    uint32_t message_id_len;
};

/* client: its IPv4 address. The first feed (of nothing) sends the greeting. */
void sim_smtp_init(struct sim_session *s, struct sim_world *w, const struct sim_name *host, uint32_t server,
                   uint32_t client);
void sim_smtp_done(struct sim_session *s);

/* Returns how many bytes of `in` are done with. Must be called again with the rest, and more. */
size_t sim_smtp_feed(struct sim_session *s, struct slice in);

/* TLS stands: the conversation begins anew (RFC 3207 section 4.2). */
void sim_smtp_secured(struct sim_session *s);

/* Is this address one that an SMTP server takes between < and > (ASCII, RFC 5321 section 4.1.2)? */
bool sim_address_ok(struct slice address, bool utf8); /* utf8: a local part of RFC 6531 too */

/* The parts, for sim_smtp.c, sim_greet.c, sim_address.c, sim_say.c and sim_body.c only. */

/* The host does not serve now: true when that was said, or kept back. */
bool sim_out_of_service(struct sim_session *s);
void sim_greet(struct sim_session *s);
void sim_do_ehlo(struct sim_session *s, struct slice arg);
void sim_do_helo(struct sim_session *s, struct slice arg);
void sim_do_starttls(struct sim_session *s, struct slice arg);

/* "FROM:<path> params": the path without its brackets, and what is left in *arg. */
bool sim_take_path(struct slice *arg, struct slice keyword, struct slice *path);
bool sim_beyond_ascii(struct slice s);

/* Puts the text with its places filled in into s->text. rcpt may be empty. */
void sim_say_make(struct sim_session *s, struct slice text, struct slice rcpt);
/* Sends s->text as the answer to a step; when `fault` is given, what that makes of it. */
void sim_say_send(struct sim_session *s, enum sim_step step, const struct sim_fault *fault);
void sim_say(struct sim_session *s, enum sim_step step, enum sim_reply what);
void sim_say_text(struct sim_session *s, const char *text); /* no step, no faults: an error of the client */
/* May send the answer to the step that comes after. */
void sim_say_ahead(struct sim_session *s, enum sim_step next, enum sim_reply what);
/* One line for the truth log, with s->text as reply. rcpt: NULL for none. */
void sim_say_truth(struct sim_session *s, enum sim_event event, enum sim_cause cause,
                   const struct sim_rcpt *rcpt, bool content);
/* All that the session brought was thrown away. */
void sim_say_withdrawn(struct sim_session *s);
/* Answers a step with a refusal for a cause; closes is for what the code does not close by itself. */
void sim_say_refusal(struct sim_session *s, enum sim_step step, enum sim_reply what, struct slice rcpt,
                     bool closes);
/* The event that a refusal with s->text is. */
enum sim_event sim_say_event(const struct sim_session *s, enum sim_cause cause);
bool sim_say_paced(struct sim_session *s, double ms);

void sim_body_start(struct sim_session *s);
/* Returns bytes taken; *ended when the final dot has been taken. */
size_t sim_body_take(struct sim_session *s, struct slice in, bool *ended);
/* BDAT: of so many octets; out of order they are thrown away and `error` is the answer. */
void sim_chunk_start(struct sim_session *s, uint64_t octets, bool last, const char *error);
size_t sim_chunk_take(struct sim_session *s, struct slice in);
/* The final dot, or the last chunk, is there: accepts or refuses. */
void sim_body_end(struct sim_session *s);
void sim_smtp_forget(struct sim_session *s); /* the transaction */

#endif
