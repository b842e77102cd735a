/* One recipient's mail out of a template: a pure function of template and input. A retry renders the same
 * bytes.
 *
 * The result is a whole RFC 5322 message in 7 bits: header and body with CRLF line ends, lines of at most 76
 * in quoted-printable and base64 and of at most 998 in ISO-2022-JP, not dot-stuffed, not signed. */
#ifndef TSUBAME_RENDER_H
#define TSUBAME_RENDER_H

#include "clock.h"
#include "template.h"

struct machine;

/* Per worker: scratch memory that is kept from mail to mail. */
struct renderer {
    struct buf scratch;
    struct buf body;
    struct arena arena;
    struct machine *machine; /* made when first needed */
    wall_us date;            /* the last Date written, and its text */
    size_t date_len;
    char date_text[CLOCK_TEXT_MAX];
};

void renderer_init(struct renderer *r);
void renderer_done(struct renderer *r);

/* Appends a recipient's own file to out. The path comes from data: not to be trusted. 0, or -1 with err: a
 * rendering failure. */
typedef int render_file_fn(void *ctx, struct slice path, struct buf *out, struct err *err);

struct render_input {
    struct slice to;            /* canonical envelope address */
    const struct slice *values; /* by column, UTF-8 (of DATA_COLUMN a packed value); .at NULL means missing */
    size_t value_count;         /* as many as the template has columns */
    struct slice message_id;    /* without <>: printable ASCII without blanks and brackets */
    wall_us date;
    render_file_fn *file; /* NULL: there are none to be read */
    void *file_ctx;
};

/* Appends the mail to out. 0, or -1 with err (ERR_INPUT): a rendering failure. This recipient gets nothing;
 * others are not affected. It is one when a variable that the template uses is missing (an empty value is
 * fine), a value that goes into a header holds CR, LF or NUL, or one that goes into a body holds NUL or is
 * not UTF-8; when the result is larger than out may become, or more work than a mail may be (see
 * docs/templates.md); when reply_to does not become an address; when a header or part
 * has a character that the mail's character set can't carry, or the recipient's own file can't be had. The
 * text names variable, part, line and column. out is then left with part of a mail: reset it. */
int render_mail(struct renderer *r, const struct template *t, const struct render_input *in, struct buf *out,
                struct err *err);

enum render_part { RENDER_SUBJECT, RENDER_TEXT, RENDER_HTML };

/* One part alone, as UTF-8 before it is encoded, appended to out. -1 as above, and ERR_ABSENT when the
 * template has no such part. */
int render_part(struct renderer *r, const struct template *t, const struct render_input *in,
                enum render_part part, struct buf *out, struct err *err);

#endif
