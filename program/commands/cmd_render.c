/* tsubame render: one recipient's mail, as it would be sent. */
#include "address.h"
#include "audience.h"
#include "command.h"
#include "jdoc.h"
#include "personal.h"
#include "render.h"
#include "taking.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAIL_MAX = 64 << 20, DATA_MAX = 16 << 20, ARENA_MAX = CONTENT_ROOM + (16 << 20) };

static const struct arg args[] = {
    {"template", 't', "FILE", "what to render: YAML with from, subject, text, html (required)"},
    {"to", 0, "FILE", "the list: CSV with a header line, or JSON lines; - is standard input"},
    {"row", 0, "N", "the list's row, the first one behind the header being 1 (the default)"},
    {"address", 0, "ADDRESS", "the row of this address; with --data whom the mail is to"},
    {"address-column", 0, "COLUMN",
     "the column of addresses (else the one called email, address, mail or to)"},
    {"charset", 0, "CHARSET", "of the list: utf-8 or cp932 (else it is found out)"},
    {"data", 0, "JSON", "instead of a list: one recipient's data; @FILE reads it from a file"},
    {"part", 0, "PART", "subject, text or html: that alone, as its reader sees it"},
};

struct sight {
    struct invocation *in;
    struct arena arena; /* content, and the row that was chosen */
    struct content content;
    const struct slice *columns;
    struct slice *values;
    size_t count;
    struct slice to;
    struct buf packed; /* --data */
    int folder;        /* of personal files, or -1 */
    struct buf out;
};

/* Keeps the row, which the reader writes over. */
static int keep_row(struct sight *s, const struct audience_row *row, const struct audience_columns *columns,
                    struct err *err) {
    struct address to;
    size_t count = columns->count;
    struct slice *names = arena_alloc(&s->arena, count * sizeof *names);
    s->values = arena_alloc(&s->arena, count * sizeof *s->values);
    bool kept = names && s->values;
    for (size_t i = 0; i < count && kept; i++)
        kept = arena_copy(&s->arena, columns->names[i], &names[i]) &&
               arena_copy(&s->arena, row->values[i], &s->values[i]);
    if (!kept) return err_set(err, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (!s->values[i].at) s->values[i] = SLICE("");
    s->columns = names;
    s->count = count;
    if (address_parse(row->address, &s->arena, &to, err))
        return err_wrap(err, "line %llu: '%.*s'", (unsigned long long)row->line, SLICE_ARG(row->address));
    s->to = to.text;
    return 0;
}

/* scratch is given up for each row. */
static bool same_address(struct arena *scratch, struct slice a, struct slice b) {
    struct address one, other;
    if (slice_eq_nocase(slice_trim(a), slice_trim(b))) return true;
    arena_reset(scratch);
    return address_parse(a, scratch, &one, NULL) == 0 && address_parse(b, scratch, &other, NULL) == 0 &&
           slice_eq(one.text, other.text);
}

/* Rows up to the one that is wanted. */
static int find_row(struct sight *s, struct audience *list, struct arena *scratch, struct err *err) {
    const char *wanted = invocation_value(s->in, "address"), *number = invocation_value(s->in, "row");
    uint64_t row_number = 1, at = 0;
    struct audience_row row;
    int got;
    if (number && (!slice_to_u64(slice_of(number), &row_number) || row_number == 0))
        return err_set(err, ERR_INPUT, "--row: '%s' is not a number from 1 on", number);
    while ((got = audience_next(list, &row, err)) == 1) {
        at++;
        bool hit =
            wanted ? !row.bad && same_address(scratch, row.address, slice_of(wanted)) : at == row_number;
        if (!hit) continue;
        if (row.bad) return err_set(err, ERR_INPUT, "line %llu: %s", (unsigned long long)row.line, row.bad);
        return keep_row(s, &row, audience_columns(list), err);
    }
    if (got < 0) return -1;
    if (wanted) return err_set(err, ERR_ABSENT, "%s is not in this list", wanted);
    return err_set(err, ERR_ABSENT, "there is no row %llu: the list has %llu", (unsigned long long)row_number,
                   (unsigned long long)at);
}

static int read_list(struct sight *s, const char *path, struct err *err) {
    const char *charset = invocation_value(s->in, "charset");
    enum list_charset known = LIST_UNKNOWN;
    if (charset && !list_charset_parse(slice_of(charset), &known))
        return err_set(err, ERR_INPUT, "--charset: '%s' is not known here: give utf-8 or cp932", charset);
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, errno, "%s", path);
    struct audience_options options = {
        .fd = fd, .charset = known, .address_column = slice_of(invocation_value(s->in, "address-column"))};
    struct audience *list = audience_open(&options, err);
    struct arena scratch;
    arena_init(&scratch, 1 << 16);
    int failed = list ? find_row(s, list, &scratch, err) : -1;
    arena_done(&scratch);
    audience_free(list);
    if (fd != STDIN_FILENO) close(fd);
    return failed ? err_wrap(err, "%s", path) : 0;
}

/* "@FILE" is what stands in the file. */
static int read_argument(const char *text, struct buf *out, struct err *err) {
    if (text[0] != '@') return buf_put_text(out, text) ? 0 : err_set(err, ERR_INPUT, "--data: too large");
    int fd = open(text + 1, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, errno, "%s", text + 1);
    ssize_t n = 1;
    while (n) {
        char *room = buf_room(out, 65536);
        n = room ? read(fd, room, 65536) : 0;
        if (n < 0 && errno != EINTR) break;
        if (n > 0) buf_grew(out, (size_t)n);
    }
    int errnum = n < 0 ? errno : 0;
    close(fd);
    if (errnum) return err_errno(err, errnum, "%s", text + 1);
    return out->failed ? err_set(err, ERR_INPUT, "%s: larger than 16 MB", text + 1) : 0;
}

static int read_data(struct sight *s, const char *text, struct err *err) {
    static const struct slice columns[] = {{DATA_COLUMN, 2}};
    const char *address = invocation_value(s->in, "address");
    struct buf json;
    struct value tree;
    struct address to;
    buf_init(&json, DATA_MAX);
    int failed = read_argument(text, &json, err) || value_put_json(buf_slice(&json), &s->packed, err);
    buf_done(&json);
    if (failed) return err_wrap(err, "--data");
    s->values = arena_alloc(&s->arena, sizeof *s->values);
    if (!s->values) return err_set(err, ERR_SYSTEM, "out of memory");
    s->values[0] = buf_slice(&s->packed);
    s->columns = columns;
    s->count = 1;
    struct slice rest = s->values[0];
    if (!value_take(&rest, &tree) || tree.kind != VALUE_MAP)
        return err_set(err, ERR_INPUT, "--data: an object is expected: {\"name\": \"Anna\"}");
    struct value email = value_member(&tree, SLICE("email"));
    struct slice wanted = address                    ? slice_of(address)
                          : email.kind == VALUE_TEXT ? email.bytes
                                                     : SLICE("somebody@example.invalid");
    if (address_parse(wanted, &s->arena, &to, err)) return err_wrap(err, "'%.*s'", SLICE_ARG(wanted));
    s->to = to.text;
    return 0;
}

static const char *const parts[] = {"subject", "text", "html"};
enum { PARTS = sizeof parts / sizeof *parts };

static int put_result(struct sight *s, const char *part, struct buf *mail) {
    if (s->in->json) {
        struct jdoc *o = jdoc_object();
        jdoc_put_text(o, "to", s->to);
        jdoc_put_text(o, part ? part : "mail", buf_slice(mail));
        jdoc_write(o, true, &s->out);
        jdoc_free(o);
    } else {
        buf_put_slice(&s->out, buf_slice(mail));
        if (part && (mail->len == 0 || mail->at[mail->len - 1] != '\n')) buf_put_c(&s->out, '\n');
    }
    return command_print(&s->out);
}

static int render(struct sight *s, const char *part, struct err *err) {
    struct template *t = template_compile(&s->content, s->columns, s->count, err);
    struct renderer r;
    struct buf mail;
    if (!t) return taking_blame(slice_of(invocation_value(s->in, "template")), err);
    struct render_input input = {.to = s->to,
                                 .values = s->values,
                                 .value_count = s->count,
                                 .message_id = SLICE("message-id-comes-here@example.invalid"),
                                 .date = clock_wall(),
                                 .file = personal_file,
                                 .file_ctx = &s->folder};
    size_t which = 0;
    while (part && which + 1 < PARTS && strcmp(parts[which], part) != 0)
        which++;
    buf_init(&mail, MAIL_MAX);
    renderer_init(&r);
    int failed = part ? render_part(&r, t, &input, (enum render_part)which, &mail, err)
                      : render_mail(&r, t, &input, &mail, err);
    if (failed) err_wrap(err, "the mail to %.*s", SLICE_ARG(s->to));
    if (!failed) failed = put_result(s, part, &mail);
    renderer_done(&r);
    buf_done(&mail);
    template_free(t);
    return failed;
}

static int check_usage(struct invocation *in) {
    const char *to = invocation_value(in, "to"), *data = invocation_value(in, "data");
    const char *part = invocation_value(in, "part");
    bool known = !part;
    if (!invocation_has(in, "template"))
        return command_complain(EXIT_USAGE,
                                "render: what? Give --template FILE (see `tsubame render --help`)");
    if (!to == !data)
        return command_complain(EXIT_USAGE, "render: for whom? Give either --to LIST or --data JSON");
    if (data && invocation_has(in, "row"))
        return command_complain(EXIT_USAGE, "render: --row is of a list, --data has none");
    if (invocation_has(in, "row") && invocation_has(in, "address"))
        return command_complain(EXIT_USAGE, "render: either --row or --address");
    for (size_t i = 0; i < PARTS && !known; i++)
        known = strcmp(parts[i], part) == 0;
    return known ? EXIT_DONE
                 : command_complain(EXIT_USAGE, "--part: '%s' is not subject, text or html", part);
}

static int run(struct invocation *in) {
    const char *to = invocation_value(in, "to"), *data = invocation_value(in, "data");
    struct sight s = {.in = in, .folder = -1};
    struct err err = {.kind = ERR_NONE};
    int code = check_usage(in);
    if (code) return code;
    arena_init(&s.arena, ARENA_MAX);
    buf_init(&s.packed, DATA_MAX);
    buf_init(&s.out, MAIL_MAX * 2);
    code = personal_folder(in->options->attachments.folder, &s.folder, &err) ||
                   content_read(invocation_value(in, "template"), &s.arena, &s.content, &err) ||
                   (to ? read_list(&s, to, &err) : read_data(&s, data, &err))
               ? -1
               : render(&s, invocation_value(in, "part"), &err);
    if (code < 0) code = command_fail(&err);
    if (s.folder >= 0) close(s.folder);
    buf_done(&s.packed), buf_done(&s.out);
    arena_done(&s.arena);
    return code;
}

const struct command command_render = {
    .name = "render",
    .summary = "show one recipient's mail, without sending it",
    .text =
        "Prints the mail as it would go onto the wire (unsigned), or one part of it as its reader sees it.\n"
        "What a template can say is described in docs/templates.md. A variable that this recipient does\n"
        "not have is a failure here as it is when sending.\n",
    .examples = "  tsubame render --template news.yaml --to list.csv\n"
                "  tsubame render -t news.yaml --to list.csv --address anna@example.com --part html\n"
                "  tsubame render -t news.yaml --data '{\"name\": \"Anna\", \"items\": [{\"price\": 3}]}' "
                "--part text\n"
                "  tsubame render -t news.yaml --data @anna.json --address anna@example.com --json\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
