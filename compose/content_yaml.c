/* Content from a YAML file. */
#include "content_inner.h"

enum { PART_MAX = 2 * 1024 * 1024 };

/* What stands in a list has no key. */
static const char *colon(const struct yaml *node) {
    return node->key.len ? ": " : "";
}

int content_complain(const struct content_reader *r, const struct yaml *node, const char *what) {
    return err_set(r->err, ERR_INPUT, "%s:%u:%u: %.*s%s%s", r->name, node->line, node->column,
                   SLICE_ARG(node->key), colon(node), what);
}

int content_complain_errno(const struct content_reader *r, const struct yaml *node, int errnum,
                           const char *path) {
    return err_errno(r->err, errnum, "%s:%u:%u: %.*s%s%s", r->name, node->line, node->column,
                     SLICE_ARG(node->key), colon(node), path);
}

int content_need_text(const struct content_reader *r, const struct yaml *node, bool header) {
    if (node->kind != YAML_SCALAR)
        return content_complain(r, node, "text is expected here (in quotes, when it starts with a brace)");
    const char *fault = content_text_fault(node->text, header);
    return fault ? content_complain(r, node, fault) : 0;
}

static int read_mailbox(const struct content_reader *r, const struct yaml *node, struct slice *name,
                        struct slice *address) {
    if (content_need_text(r, node, true)) return -1;
    if (!content_split_mailbox(node->text, r->arena, name, address))
        return content_complain(r, node, "expected \"address\" or \"Name <address>\"");
    return address->len ? 0 : content_complain(r, node, "an address is required");
}

static int read_from(const struct content_reader *r, const struct yaml *node) {
    if (read_mailbox(r, node, &r->out->from_name, &r->out->from)) return -1;
    if (content_check_from(r->out->from, r->err))
        return err_wrap(r->err, "%s:%u:%u: from", r->name, node->line, node->column);
    return 0;
}

static int read_headers(const struct content_reader *r, const struct yaml *map) {
    if (map->kind != YAML_MAP) return content_complain(r, map, "a map of names to texts is expected here");
    if (map->count > CONTENT_HEADERS_MAX) return content_complain(r, map, "more than 64 headers");
    struct content_header *headers = arena_alloc(r->arena, (map->count + 1) * sizeof *headers);
    if (!headers) return err_set(r->err, ERR_SYSTEM, "%s: no memory", r->name);
    size_t n = 0;
    for (const struct yaml *node = map->first; node; node = node->next) {
        if (content_need_text(r, node, true)) return -1;
        headers[n] = (struct content_header){node->key, node->text};
        const char *fault = content_header_fault(&headers[n++]);
        if (fault) return content_complain(r, node, fault);
    }
    r->out->headers = headers;
    r->out->header_count = n;
    return 0;
}

static int read_part_file(const struct content_reader *r, const struct yaml *node, struct slice *part) {
    if (part->len) return content_complain(r, node, "this part is there already");
    if (content_read_file(r, node, PART_MAX, part)) return -1;
    if (slice_starts(*part, SLICE("\xEF\xBB\xBF"))) *part = slice_skip(*part, 3);
    const char *fault = content_text_fault(*part, false);
    if (!fault && part->len == 0) fault = "the file is empty";
    return fault ? content_complain(r, node, fault) : 0;
}

static int read_plain(const struct content_reader *r, const struct yaml *node, struct slice *to,
                      bool header) {
    if (content_need_text(r, node, header)) return -1;
    if (to->len) return content_complain(r, node, "this part is there already");
    *to = node->text;
    return 0;
}

int content_read_bool(const struct content_reader *r, const struct yaml *node, bool *to) {
    *to = node->kind == YAML_SCALAR && !node->quoted && slice_eq(node->text, SLICE("true"));
    if (*to || (node->kind == YAML_SCALAR && !node->quoted && slice_eq(node->text, SLICE("false")))) return 0;
    return content_complain(r, node, "true or false is expected here");
}

/* One of the names; *to is its index. */
static int read_choice(const struct content_reader *r, const struct yaml *node, const char *const *names,
                       const char *expected, unsigned *to) {
    if (content_need_text(r, node, true)) return -1;
    for (*to = 0; names[*to]; ++*to)
        if (slice_eq_nocase(node->text, slice_of(names[*to]))) return 0;
    return content_complain(r, node, expected);
}

static int read_charset(const struct content_reader *r, const struct yaml *node) {
    static const char *const names[] = {"utf-8", "iso-2022-jp", NULL};
    unsigned n;
    if (read_choice(r, node, names, "utf-8 or iso-2022-jp is expected here", &n)) return -1;
    r->out->charset = (enum content_charset)n;
    return 0;
}

static int read_encoding(const struct content_reader *r, const struct yaml *node) {
    static const char *const names[] = {"auto", "quoted-printable", "base64", NULL};
    unsigned n;
    if (read_choice(r, node, names, "auto, quoted-printable or base64 is expected here", &n)) return -1;
    r->out->encoding = (enum content_encoding)n;
    return 0;
}

static int read_partials(const struct content_reader *r, const struct yaml *map) {
    if (map->kind != YAML_MAP) return content_complain(r, map, "a map of names to texts is expected here");
    if (map->count > CONTENT_PARTIALS_MAX) return content_complain(r, map, "more than 64 partials");
    struct content_partial *partials = arena_alloc(r->arena, (map->count + 1) * sizeof *partials);
    if (!partials) return err_set(r->err, ERR_SYSTEM, "%s: no memory", r->name);
    size_t n = 0;
    for (const struct yaml *node = map->first; node; node = node->next) {
        if (content_need_text(r, node, false)) return -1;
        partials[n++] = (struct content_partial){node->key, node->text};
    }
    r->out->partials = partials;
    r->out->partial_count = n;
    return 0;
}

static int read_escape(const struct content_reader *r, const struct yaml *node) {
    static const char *const names[] = {"html", "none", NULL};
    unsigned n;
    if (read_choice(r, node, names, "expected html or none", &n)) return -1;
    r->out->no_escape = n == 1;
    return 0;
}

static int read_missing(const struct content_reader *r, const struct yaml *node) {
    static const char *const names[] = {"error", "empty", NULL};
    unsigned n;
    if (read_choice(r, node, names, "expected error or empty", &n)) return -1;
    r->out->missing_empty = n == 1;
    return 0;
}

static int read_list_key(const struct content_reader *r, const struct yaml *node) {
    struct content *c = r->out;
    if (slice_eq(node->key, SLICE("id"))) return read_plain(r, node, &c->list_id, true);
    if (slice_eq(node->key, SLICE("unsubscribe_url"))) return read_plain(r, node, &c->unsubscribe_url, true);
    if (slice_eq(node->key, SLICE("unsubscribe_mail")))
        return read_plain(r, node, &c->unsubscribe_mail, true);
    if (slice_eq(node->key, SLICE("feedback_id"))) return read_plain(r, node, &c->feedback_id, true);
    if (slice_eq(node->key, SLICE("one_click"))) return content_read_bool(r, node, &c->one_click);
    return content_complain(
        r, node, "unknown key (known are id, unsubscribe_url, unsubscribe_mail, one_click, feedback_id)");
}

static int read_list(struct content_reader *r, const struct yaml *map) {
    if (map->kind != YAML_MAP) return content_complain(r, map, "a map is expected here");
    for (const struct yaml *node = map->first; node; node = node->next)
        if (read_list_key(r, node)) return -1;
    return 0;
}

static int read_auto_text(const struct content_reader *r, const struct yaml *node) {
    bool wanted;
    if (content_read_bool(r, node, &wanted)) return -1;
    r->out->no_auto_text = !wanted;
    return 0;
}

static int read_mail_key(struct content_reader *r, const struct yaml *node, bool *known) {
    struct content *c = r->out;
    if (slice_eq(node->key, SLICE("from"))) return read_from(r, node);
    if (slice_eq(node->key, SLICE("reply_to"))) return read_mailbox(r, node, &c->reply_to_name, &c->reply_to);
    if (slice_eq(node->key, SLICE("to"))) return read_plain(r, node, &c->to, true);
    if (slice_eq(node->key, SLICE("to_name"))) return read_plain(r, node, &c->to_name, true);
    if (slice_eq(node->key, SLICE("subject"))) return read_plain(r, node, &c->subject, true);
    if (slice_eq(node->key, SLICE("text"))) return read_plain(r, node, &c->text, false);
    if (slice_eq(node->key, SLICE("html"))) return read_plain(r, node, &c->html, false);
    if (slice_eq(node->key, SLICE("text_file"))) return read_part_file(r, node, &c->text);
    if (slice_eq(node->key, SLICE("html_file"))) return read_part_file(r, node, &c->html);
    if (slice_eq(node->key, SLICE("headers"))) return read_headers(r, node);
    if (slice_eq(node->key, SLICE("partials"))) return read_partials(r, node);
    if (slice_eq(node->key, SLICE("list"))) return read_list(r, node);
    if (slice_eq(node->key, SLICE("attachments"))) return content_read_files(r, node, false);
    if (slice_eq(node->key, SLICE("inline"))) return content_read_files(r, node, true);
    *known = false;
    return 0;
}

static int read_setting(struct content_reader *r, const struct yaml *node) {
    struct content *c = r->out;
    if (slice_eq(node->key, SLICE("auto_text"))) return read_auto_text(r, node);
    if (slice_eq(node->key, SLICE("shared"))) return content_read_bool(r, node, &c->shared);
    if (slice_eq(node->key, SLICE("auto_submitted"))) return content_read_bool(r, node, &c->auto_submitted);
    if (slice_eq(node->key, SLICE("charset"))) return read_charset(r, node);
    if (slice_eq(node->key, SLICE("substitute"))) return content_read_bool(r, node, &c->substitute);
    if (slice_eq(node->key, SLICE("encoding"))) return read_encoding(r, node);
    if (slice_eq(node->key, SLICE("escape"))) return read_escape(r, node);
    if (slice_eq(node->key, SLICE("missing"))) return read_missing(r, node);
    return content_complain(
        r, node,
        "unknown key (known are from, to, to_name, reply_to, subject, text, html, text_file, html_file, "
        "auto_text, "
        "headers, partials, escape, missing, list, auto_submitted, charset, substitute, encoding, "
        "attachments, "
        "inline, shared)");
}

static int read_key(struct content_reader *r, const struct yaml *node) {
    bool known = true;
    int rc = read_mail_key(r, node, &known);
    return known ? rc : read_setting(r, node);
}

int content_from_yaml(const struct yaml *root, const char *name, const char *folder, struct arena *arena,
                      struct content *out, struct err *err) {
    struct content_reader r = {name, folder, arena, out, 0, err};
    *out = (struct content){.header_count = 0};
    if (root->kind != YAML_MAP) return err_set(err, ERR_INPUT, "%s:%u: a map is expected", name, root->line);
    for (const struct yaml *node = root->first; node; node = node->next)
        if (read_key(&r, node)) return -1;
    if (!yaml_get(root, "from")) return err_set(err, ERR_INPUT, "%s: the key 'from' is missing", name);
    if (!yaml_get(root, "subject")) return err_set(err, ERR_INPUT, "%s: the key 'subject' is missing", name);
    if (out->text.len == 0 && out->html.len == 0)
        return err_set(err, ERR_INPUT, "%s: one of the keys text, html, text_file, html_file is required",
                       name);
    return content_check(out, err) ? err_wrap(err, "%s", name) : 0;
}

int content_read(const char *path, struct arena *arena, struct content *out, struct err *err) {
    struct yaml *root = yaml_read(path, arena, err);
    if (!root) return -1;
    const char *slash = strrchr(path, '/');
    struct slice folder = slash ? slice_make(path, (size_t)(slash - path) + (slash == path)) : SLICE(".");
    const char *at = arena_string(arena, folder);
    if (!at) return err_set(err, ERR_SYSTEM, "%s: no memory", path);
    return content_from_yaml(root, path, at, arena, out, err);
}
