/* What a person writes: the content of a mail before it is anybody's. Every text is a template
 * (docs/templates.md).
 *
 * In a file (YAML):
 *
 *     from: "Swallow News <news@example.com>"     # required; variables only in the display name
 *     to_name: "{{name}}"                         # display name in To
 *     reply_to: "Help <help@example.com>"         # the address may be a variable: "{{agent}}"
 *     subject: "{{name}}, spring is here"         # required
 *     text: |                                     # at least one of text, html, text_file, html_file
 *       Dear {{name}}, ...
 *     html_file: welcome.html                     # relative to this file
 *     headers:
 *       X-Campaign: spring
 *     partials:                                   # for all texts: {{> footer}}
 *       footer: "{{company}}, Kobe"
 *     escape: html                                # {{x}} in the html part: html (default) or none
 *     missing: error                              # a variable that is not there: error (default) or empty
 *
 * An unknown key, a wrong kind of value, text that is not UTF-8 or holds a NUL: an error with file, line and
 * column. */
#ifndef TSUBAME_CONTENT_H
#define TSUBAME_CONTENT_H

#include "buf.h"
#include "yamltree.h"

enum {
    CONTENT_HEADERS_MAX = 64,
    CONTENT_PARTIALS_MAX = 64,
    CONTENT_MAX = 4 * 1024 * 1024 /* bytes encoded */
};

struct content_header {
    struct slice name;
    struct slice value;
};

struct content_partial {
    struct slice name;
    struct slice text;
};

struct content {
    struct slice from_name; /* empty: none */
    struct slice from;      /* an address without variables */
    struct slice to_name;
    struct slice reply_to_name;
    struct slice reply_to; /* empty: no Reply-To */
    struct slice subject;
    struct slice text; /* empty: no such part; at least one of the two is not */
    struct slice html;
    const struct content_header *headers;
    size_t header_count;
    const struct content_partial *partials;
    size_t partial_count;
    bool no_escape;     /* escape: none */
    bool missing_empty; /* missing: empty */
};

/* All slices lie in the arena, of which up to 14 MB are used. 0, or -1 with err. */
int content_read(const char *path, struct arena *arena, struct content *out, struct err *err);

/* The same from a tree. name: the file's name for messages; folder: where text_file and html_file are looked
 * for, NULL to refuse them. Slices point into the tree's text or the arena. */
int content_from_yaml(const struct yaml *root, const char *name, const char *folder, struct arena *arena,
                      struct content *out, struct err *err);

/* "Name <address>", "\"Name\" <address>" or "address" into its two halves, trimmed; the address is not
 * checked. False when the brackets don't fit. The halves point into text, or (a quoted name with backslashes)
 * into the arena. */
bool content_split_mailbox(struct slice text, struct arena *arena, struct slice *name, struct slice *address);

/* Is it fit to be compiled: a From address, a subject's and parts' text in UTF-8 without NUL, headers that
 * are not written by Tsubame itself? 0, or -1 with err, which names the key. content_read has asked already.
 */
int content_check(const struct content *c, struct err *err);

/* The payload as the ledger keeps it: versioned, bounded, to be read by later versions. out->failed when it
 * is larger than CONTENT_MAX. */
void content_encode(const struct content *c, struct buf *out);

/* Reads what content_encode wrote; survives any bytes (ERR_CORRUPT; ERR_INPUT for a newer version). Slices
 * point into bytes, the headers' table lies in the arena. */
int content_decode(struct slice bytes, struct arena *arena, struct content *out, struct err *err);

#endif
