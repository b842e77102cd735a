/* For tests: what the MIME modules write, for other programs to read back.
 *
 *     probe_mime text                   HTML on standard input to text
 *     probe_mime jis|near               text to ISO-2022-JP
 *     probe_mime check                  what ISO-2022-JP can't carry, a line each: CODE COUNT OFFSET LINE
 * COLUMN NEAR|- probe_mime headers                records "KIND VALUE LF"; for each one the field, and an
 * empty line: s Subject, n display name, f file name; S and N in ISO-2022-JP with substitutes */
#include "charset.h"
#include "header.h"
#include "html_text.h"
#include "mime_param.h"

#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 64 * 1024 * 1024 };

static void read_all(struct buf *in) {
    char *to;
    size_t n;
    while ((to = buf_room(in, 65536)) && (n = fread(to, 1, 65536, stdin)))
        buf_grew(in, n);
}

static void check(struct slice text) {
    static struct charset_misfits list;
    charset_check(text, &list);
    for (size_t i = 0; i < list.count; i++) {
        const struct charset_misfit *m = &list.at[i];
        printf("U+%04X %u %zu %u %u %s%.*s\n", m->code, m->count, m->offset, m->line, m->column,
               m->replaced ? "" : "-", SLICE_ARG(m->near));
    }
}

static void put_field(struct buf *out, char kind, struct slice value) {
    struct slice address = SLICE("user@example.org");
    switch (kind) {
    case 's': header_put_text(out, SLICE("Subject"), value, HEADER_TEXT); break;
    case 'n': header_put_mailbox(out, SLICE("To"), value, address); break;
    case 'S': header_put_text_in(out, SLICE("Subject"), value, HEADER_TEXT, CHARSET_JIS_NEAR); break;
    case 'N': header_put_mailbox_in(out, SLICE("To"), value, address, CHARSET_JIS_NEAR); break;
    case 'f':
        mime_put_field(out, SLICE("Content-Disposition"), SLICE("attachment"), SLICE("filename"), value);
        break;
    default: exit(2);
    }
    buf_put_text(out, "\r\n");
}

static void headers(struct slice in, struct buf *out) {
    struct slice line;
    while (in.len && slice_cut(&in, '\n', &line)) {
        if (line.len < 2) exit(2);
        put_field(out, line.at[0], slice_skip(line, 2));
    }
}

int main(int argc, char **argv) {
    struct buf in, out;
    struct err err = {.text = ""};
    int rc = 0;
    if (argc != 2) return 2;
    buf_init(&in, INPUT_MAX), buf_init(&out, INPUT_MAX);
    read_all(&in);
    if (strcmp(argv[1], "text") == 0)
        rc = html_to_text(buf_slice(&in), &out, &err);
    else if (strcmp(argv[1], "jis") == 0)
        rc = charset_put(&out, buf_slice(&in), CHARSET_JIS, &err);
    else if (strcmp(argv[1], "near") == 0)
        rc = charset_put(&out, buf_slice(&in), CHARSET_JIS_NEAR, &err);
    else if (strcmp(argv[1], "check") == 0)
        check(buf_slice(&in));
    else if (strcmp(argv[1], "headers") == 0)
        headers(buf_slice(&in), &out);
    else
        return 2;
    if (out.len) fwrite(out.at, 1, out.len, stdout);
    if (rc) fprintf(stderr, "%s\n", err.text);
    if (out.failed) fprintf(stderr, "failed\n");
    rc |= out.failed;
    buf_done(&in), buf_done(&out);
    return rc ? 1 : 0;
}
