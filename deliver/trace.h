/* Watching conversations while they happen: whoever may use the control socket asks for sessions of a lane, a
 * host, a recipient, and is told what is said in them, line by line (transcript.h).
 *
 * Nobody is held up for it. The lines go from the workers into a bounded mailbox; what does not fit is
 * counted and left out. A worker that nobody asks has one pointer to look at where bytes come and go. */
#ifndef TSUBAME_TRACE_H
#define TSUBAME_TRACE_H

#include "engine.h"

enum { TRACE_MOST = 8, TRACE_LINES = 1024, TRACE_TEXT = 512 };

/* Which sessions; "" and 0 are for any. */
struct trace_filter {
    char lane[128];   /* upper and lower case make no difference here and below */
    char source[128]; /* by its name */
    char host[256];   /* a mail exchanger's name, or its address */
    char to[320];     /* a recipient's address, or a domain of recipients: from where such a mail comes to the
                         session. With an address up to its outcome */
    uint32_t campaign;
    unsigned sessions; /* no more than so many; 0: all */
    bool content;      /* of mails is shown */
};

enum trace_kind {
    TRACE_BEGIN,    /* trace_who tells the rest */
    TRACE_NOTE,     /* what happened: our words */
    TRACE_SENT,     /* to the server */
    TRACE_RECEIVED, /* from the server */
    TRACE_END       /* of the session, or of what was asked for of it: why */
};

struct trace_line {
    wall_us at;
    int64_t since;    /* the session was opened, us */
    uint32_t session; /* 1, 2, ... in the order in which this trace met them */
    uint8_t kind;     /* enum trace_kind */
    bool tls;
    uint16_t len;
    uint32_t left_out;     /* bytes that the line has more */
    char text[TRACE_TEXT]; /* as it was said: may hold anything */
};
/* Of a TRACE_BEGIN. */
void trace_who(const struct trace_line *line, struct slice *lane, struct slice *source, struct slice *host);

struct trace;

/* Begins; sessions that are open already are watched too. NULL with err: ERR_BUSY (TRACE_MOST are under way).
 * Any thread. Close it before the engine is stopped. */
struct trace *trace_open(struct engine *e, const struct trace_filter *filter, struct err *err);
/* Waits for lines up to so long. How many there are; *left_out lines could not be kept behind those. */
size_t trace_wait(struct trace *t, struct trace_line *lines, size_t most, int timeout_ms, uint64_t *left_out);
/* All sessions that were asked for have had their end. */
bool trace_is_over(struct trace *t);
void trace_close(struct engine *e, struct trace *t);

#endif
