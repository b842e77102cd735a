/* What the files content*.c share. Private to this folder. */
#ifndef TSUBAME_CONTENT_INNER_H
#define TSUBAME_CONTENT_INNER_H

#include "content.h"

/* content.c: what is wrong with a text as such (a header takes no line breaks), or with a custom header; NULL
 * when nothing is. Is the From address one, and without variables? */
const char *content_text_fault(struct slice text, bool header);
const char *content_header_fault(const struct content_header *h);
int content_check_from(struct slice from, struct err *err);
const char *content_file_fault(const struct content_file *f);

/* Reading a file: where we are, for messages. */
struct content_reader {
    const char *name;
    const char *folder; /* NULL: no files */
    struct arena *arena;
    struct content *out;
    size_t file_bytes; /* of attachments so far */
    struct err *err;
};

/* content_yaml.c: -1 with the place of node before `what`, or before the path and what errno says. */
int content_complain(const struct content_reader *r, const struct yaml *node, const char *what);
int content_complain_errno(const struct content_reader *r, const struct yaml *node, int errnum,
                           const char *path);
int content_need_text(const struct content_reader *r, const struct yaml *node, bool header);
int content_read_bool(const struct content_reader *r, const struct yaml *node, bool *to);

/* content_files.c: the file that node names, relative to r->folder, of at most `most` bytes, into the arena.
 */
int content_read_file(const struct content_reader *r, const struct yaml *node, size_t most,
                      struct slice *bytes);
int content_read_files(struct content_reader *r, const struct yaml *list, bool is_inline);

#endif
