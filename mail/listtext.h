/* The text of a list on its way in: bytes of a file through a buffer, and in which charset they are.
 *
 * The charset is UTF-8 or CP932. A byte order mark or the option decides at once; else the question stays
 * open while only ASCII was seen, and is then answered from the next 256 KB, line by line: if more lines can
 * only be CP932 than are UTF-8 it is CP932. So one broken row changes nothing, and it makes no difference in
 * which pieces the bytes come. */
#ifndef TSUBAME_LISTTEXT_H
#define TSUBAME_LISTTEXT_H

#include "cp932.h"

enum list_charset { LIST_UNKNOWN, LIST_UTF8, LIST_CP932 };

const char *list_charset_name(enum list_charset c); /* "UTF-8", "CP932 (Shift_JIS)", "ASCII" for unknown */

/* utf-8, cp932, shift_jis and their usual other names. False for anything else. */
bool list_charset_parse(struct slice name, enum list_charset *out);

enum { LISTTEXT_LINE_MAX = 256 * 1024, LISTTEXT_BUFFER = 2 * LISTTEXT_LINE_MAX };

struct listtext {
    /* For the reader: bytes from `start` to `end`, of which it takes by moving `start`. */
    char *buffer;
    size_t start, end;
    bool eof;      /* nothing comes behind `end` */
    uint64_t line; /* of buffer[start]; the reader's to count */
    uint64_t gone; /* bytes of the file before buffer[0] */
    enum list_charset charset;
    const struct cp932 *cp932; /* when the charset is that */
    /* Inside. */
    int fd;
    struct slice bytes;
    size_t room; /* of the buffer */
    const int *stop;
    bool begun;
    size_t high; /* the first byte beyond ASCII from where it was last looked for, or `end` */
};

/* Reads fd (not owned; any kind of file), or where that is -1 bytes that the caller keeps. charset: as the
 * person said, or LIST_UNKNOWN. -1 with err without memory, or when the system has no CP932. */
int listtext_init(struct listtext *t, int fd, struct slice bytes, enum list_charset charset, struct err *err);
void listtext_done(struct listtext *t);

/* Moves what is from `start` on to the front of the buffer and reads on behind it. The first time it takes a
 * byte order mark off. -1 with err: the file can't be read (ERR_SYSTEM), reading was stopped (ERR_BUSY), it
 * is no text (UTF-16, a workbook, compressed: ERR_INPUT, with what to do). */
int listtext_fill(struct listtext *t, struct err *err);

/* Are the n bytes from `start` ASCII? */
bool listtext_is_ascii(struct listtext *t, size_t n);

/* Decides the charset, after a line that is not ASCII was met: 1. 0 when more was read for that and places in
 * the buffer have moved: look again. -1 with err. */
int listtext_decide(struct listtext *t, struct err *err);

/* Appends bytes that were read, for people: as UTF-8, with \xHH for each byte that is none, and NUL. */
void listtext_show(const struct listtext *t, struct slice raw, struct buf *out);

#endif
