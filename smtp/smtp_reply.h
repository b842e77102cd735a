/* Replies of an SMTP server, read as the bytes arrive (RFC 5321 section 4.2, RFC 2034, RFC 3463).
 *
 * Tolerant of what real servers do: lines ended by LF alone, lines without text ("250-", "250"), an enhanced
 * code on any or no line. Strict on the rest: a line that does not open with a code from 200 to 599 and a
 * space, a hyphen or its end, a multi-line reply that changes its code, a NUL in it: all are garbage. */
#ifndef TSUBAME_SMTP_REPLY_H
#define TSUBAME_SMTP_REPLY_H

#include "buf.h"

enum {
    SMTP_REPLY_LINE_MAX = 2048,    /* bytes of a line that are kept; RFC 5321 allows 512 */
    SMTP_REPLY_LINES_MAX = 64,     /* lines that are kept */
    SMTP_REPLY_TEXT_MAX = 16384,   /* bytes of text that are kept */
    SMTP_REPLY_TOTAL_MAX = 262144, /* bytes of one reply that are read at all; more is garbage */
};

struct smtp_reply {
    int code;             /* 200..599 */
    uint16_t enhanced[3]; /* of the last line that had one, its class that of the code; 0.0.0 where none */
    bool oversized;       /* something passed a limit above and was dropped; code and end are sure */
    struct slice text; /* the lines joined by LF, codes and enhanced codes stripped; other control characters
                          are shown as '?', bytes above 127 are as they came */
};

enum smtp_read {
    SMTP_READ_MORE,  /* all bytes taken, the reply is not whole */
    SMTP_READ_REPLY, /* *reply is whole; bytes behind it may be left */
    SMTP_READ_BAD    /* garbage: nothing that follows means anything */
};

struct smtp_reader {
    struct buf line; /* the unfinished line */
    struct buf text;
    size_t total;
    unsigned lines;
    int code;
    uint16_t enhanced[3];
    bool oversized, line_cut, done, bad;
};

void smtp_reader_init(struct smtp_reader *r);
void smtp_reader_done(struct smtp_reader *r);
void smtp_reader_reset(struct smtp_reader *r); /* forgets a reply half read */

/* Is a reply half read? */
bool smtp_reader_partial(const struct smtp_reader *r);

/* Takes bytes off the front of *bytes up to the end of one reply. reply->text is valid until the next call
 * with this reader. After SMTP_READ_BAD every call says so again, until a reset. */
enum smtp_read smtp_reader_take(struct smtp_reader *r, struct slice *bytes, struct smtp_reply *reply);

#endif
