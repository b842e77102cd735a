/* What a person writes: the content of a mail before it is anybody's. Every text is a template
 * (docs/templates.md); docs/mail.md has the keys of the file.
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
    CONTENT_FILES_MAX = 64,
    CONTENT_FILE_MAX = 25 * 1024 * 1024, /* bytes of one file, and of all of them */
    CONTENT_TEXT_MAX = 4 * 1024 * 1024,  /* bytes of everything else, encoded */
    CONTENT_MAX = CONTENT_FILE_MAX + CONTENT_TEXT_MAX,
    CONTENT_ROOM = 2 * CONTENT_MAX
};

struct content_header {
    struct slice name;
    struct slice value;
};

struct content_partial {
    struct slice name;
    struct slice text;
};

enum content_charset { CONTENT_UTF_8, CONTENT_ISO_2022_JP };
enum content_encoding { CONTENT_AUTO, CONTENT_QUOTED_PRINTABLE, CONTENT_BASE64 };

/* A file that goes with the mail. */
struct content_file {
    bool is_inline;     /* shown by the HTML, which names it by its cid */
    struct slice name;  /* as the reader sees it; of a personal file with variables */
    struct slice type;  /* "application/pdf" */
    struct slice cid;   /* only inline */
    struct slice path;  /* of a personal file: a text with variables, below the folder of such files */
    struct slice bytes; /* of one that is the same for everybody */
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
    bool no_escape;                /* escape: none */
    bool missing_empty;            /* missing: empty */
    struct slice list_id;          /* each empty: no such header */
    struct slice unsubscribe_url;  /* https: */
    struct slice unsubscribe_mail; /* an address or a mailto: URI */
    struct slice feedback_id;
    bool one_click;
    bool auto_submitted;
    bool no_auto_text;
    bool shared; /* the same mail for everybody: many recipients in a transaction */
    struct slice
        to; /* of a shared mail: "Name <address>", "address" or "Name:;"; empty: undisclosed-recipients */
    enum content_charset charset;
    bool substitute;
    enum content_encoding encoding;
    const struct content_file *files;
    size_t file_count;
};

/* All slices lie in the arena, of which up to CONTENT_ROOM bytes are used. 0, or -1 with err. */
int content_read(const char *path, struct arena *arena, struct content *out, struct err *err);

/* The same from a tree. name: the file's name for messages; folder: where files are looked for, NULL to
 * refuse them. Slices point into the tree's text or the arena. */
int content_from_yaml(const struct yaml *root, const char *name, const char *folder, struct arena *arena,
                      struct content *out, struct err *err);

/* "Name <address>", "\"Name\" <address>" or "address" into its two halves, trimmed; the address is not
 * checked. False when the brackets don't fit. The halves point into text, or (a quoted name with backslashes)
 * into the arena. */
bool content_split_mailbox(struct slice text, struct arena *arena, struct slice *name, struct slice *address);

/* A list's identifier (RFC 2919): labels with dots between, at most 255 bytes. */
bool content_is_list_id(struct slice id);

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
