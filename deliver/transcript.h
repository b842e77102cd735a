/* An SMTP conversation as lines for people, made of its bytes as they pass. Pure: no sockets, no clock.
 *
 * What is said comes as it was said, line by line; what is a mail's content comes as one line with its size,
 * unless it is asked for. Secrets (what follows AUTH, RFC 4954) never come. A line may be cut: `left_out`
 * says how many bytes of it are missing. */
#ifndef TSUBAME_TRANSCRIPT_H
#define TSUBAME_TRANSCRIPT_H

#include "slice.h"

enum { TRANSCRIPT_LINE = 480 };

enum transcript_kind { TRANSCRIPT_SENT, TRANSCRIPT_RECEIVED };
typedef void transcript_fn(void *ctx, enum transcript_kind kind, struct slice text, uint64_t left_out);

struct transcript_half {
    size_t len;
    uint64_t left_out;
    char line[TRANSCRIPT_LINE];
};

struct transcript {
    transcript_fn *line;
    void *ctx;
    bool content;                                                                         /* is shown */
    enum { TRANSCRIPT_COMMANDS, TRANSCRIPT_DOT, TRANSCRIPT_CHUNK, TRANSCRIPT_SKIP } mode; /* what is sent */
    uint64_t left;  /* of a chunk, or to be skipped */
    uint64_t bytes; /* of the content so far, without its end and doubled dots */
    uint8_t dot;    /* how much of "\r\n.\r\n" was seen: 2 at the beginning of a line */
    bool auth;      /* a secret may be sent */
    struct transcript_half sent, received;
};

/* skip: so many of the next bytes sent belong to what was under way and may be content: they are left out. */
void transcript_init(struct transcript *t, bool content, uint64_t skip, transcript_fn *line, void *ctx);
void transcript_sent(struct transcript *t, struct slice bytes);
void transcript_received(struct transcript *t, struct slice bytes);
/* The connection is over, or another begins: what has no line end comes now. */
void transcript_end(struct transcript *t);

#endif
