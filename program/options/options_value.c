/* One option's value: from a node of YAML to its field, or a problem that says what was expected. */
#include "options_inner.h"
#include "units.h"

static void wrong(struct reader *r, const struct level *l, const struct option *opt,
                  const struct yaml *node) {
    struct option_place at = options_place(r, node);
    struct buf expected;
    buf_init(&expected, 512);
    option_put_expected(opt, &expected);
    struct slice e = buf_slice(&expected);
    if (node->kind != YAML_SCALAR)
        options_problem(r, &at, "%s%s: expected %.*s, got a %s", l->shown, opt->key, SLICE_ARG(e),
                        node->kind == YAML_MAP ? "section" : "list");
    else if (node->text.len == 0)
        options_problem(r, &at, "%s%s: expected %.*s, got nothing", l->shown, opt->key, SLICE_ARG(e));
    else
        options_problem(r, &at, "%s%s: expected %.*s, got '%.*s%s'", l->shown, opt->key, SLICE_ARG(e),
                        node->text.len > 60 ? 60 : (int)node->text.len, node->text.at,
                        node->text.len > 60 ? "..." : "");
    buf_done(&expected);
}

static void out_of_range(struct reader *r, const struct level *l, const struct option *opt,
                         const struct yaml *node) {
    struct option_place at = options_place(r, node);
    struct buf range;
    buf_init(&range, 256);
    option_put_range(opt, &range);
    options_problem(r, &at, "%s%s: must be %.*s, got '%.*s'", l->shown, opt->key,
                    SLICE_ARG(buf_slice(&range)), SLICE_ARG(node->text));
    buf_done(&range);
}

static bool read_whole(const struct option *opt, struct slice text, int64_t *value) {
    switch (opt->type) {
    case OPTION_SIZE: return units_size(text, value);
    case OPTION_DURATION: return units_duration(text, value);
    case OPTION_MODE: return units_mode(text, value);
    default: return units_int(text, value);
    }
}

static void set_whole(struct reader *r, const struct level *l, const struct option *opt,
                      const struct yaml *node, int64_t *to) {
    int64_t value;
    if (!read_whole(opt, node->text, &value))
        wrong(r, l, opt, node);
    else if (value < opt->least || value > opt->most)
        out_of_range(r, l, opt, node);
    else
        *to = value;
}

static void set_time(struct reader *r, const struct level *l, const struct option *opt,
                     const struct yaml *node, wall_us *to) {
    wall_us value = 0;
    bool unset = node->quoted && node->text.len == 0;
    if (!unset && !units_time(node->text, &value))
        wrong(r, l, opt, node);
    else
        *to = value;
}

static void set_number(struct reader *r, const struct level *l, const struct option *opt,
                       const struct yaml *node, double *to) {
    double value;
    if (!units_number(node->text, &value))
        wrong(r, l, opt, node);
    else if (value * 1000 < (double)opt->least || value * 1000 > (double)opt->most)
        out_of_range(r, l, opt, node);
    else
        *to = value;
}

static void set_enum(struct reader *r, const struct level *l, const struct option *opt,
                     const struct yaml *node, int *to) {
    for (int i = 0; opt->words[i]; i++)
        if (slice_eq(node->text, slice_of(opt->words[i]))) {
            *to = i;
            return;
        }
    wrong(r, l, opt, node);
}

static void set_bool(struct reader *r, const struct level *l, const struct option *opt,
                     const struct yaml *node, bool *to) {
    bool yes = slice_eq(node->text, SLICE("true")), no = slice_eq(node->text, SLICE("false"));
    if (node->quoted || (!yes && !no))
        wrong(r, l, opt, node);
    else
        *to = yes;
}

static bool printable(struct slice text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f) return false;
    return true;
}

char *options_keep(struct reader *r, struct slice text) {
    char *copy = arena_string(r->arena, text);
    if (!copy) r->count++;
    return copy;
}

/* '' in quotes unsets. A relative path is one beside the file that names it. */
static void set_text(struct reader *r, const struct level *l, const struct option *opt,
                     const struct yaml *node, const char **to) {
    struct slice text = node->text;
    bool good = printable(text) && (text.len || node->quoted);
    if (good && text.len && opt->type == OPTION_DOMAIN) good = options_domain_good(text);
    if (!good) {
        wrong(r, l, opt, node);
        return;
    }
    if (text.len && opt->type == OPTION_PATH && text.at[0] != '/' && r->folder.len) {
        struct buf path;
        buf_init(&path, 8192);
        buf_put_slice(&path, r->folder);
        buf_put_slice(&path, text);
        *to = options_keep(r, buf_slice(&path));
        buf_done(&path);
    } else {
        *to = text.len ? options_keep(r, text) : NULL;
    }
}

/* '' in quotes unsets, as with every address. */
static void set_endpoint(struct reader *r, const struct level *l, const struct option *opt,
                         const struct yaml *node, struct net_addr *to) {
    bool none = node->quoted && node->text.len == 0;
    *to = (struct net_addr){0};
    if (!none && (!net_addr_parse(node->text, 0, to) || to->port == 0)) {
        *to = (struct net_addr){0};
        wrong(r, l, opt, node);
    }
}

static void set_address(struct reader *r, const struct level *l, const struct option *opt,
                        const struct yaml *node, struct net_addr *to) {
    bool none = opt->type == OPTION_LISTEN
                    ? slice_eq(node->text, SLICE("off"))
                    : opt->type == OPTION_ADDRESS && node->quoted && node->text.len == 0;
    if (none)
        *to = (struct net_addr){0};
    else if (!net_addr_parse(node->text, opt->port, to) || (opt->port == 0 && to->port != 0)) {
        *to = (struct net_addr){0};
        wrong(r, l, opt, node);
    }
}

/* A list is also taken as its only item. The number of items, or 0 after a problem. */
size_t options_list_items(struct reader *r, const struct level *l, const struct option *opt,
                          const struct yaml *node, const struct yaml **first) {
    bool one =
        opt->type == OPTION_RECORDS ? node->kind == YAML_MAP : node->kind == YAML_SCALAR && node->text.len;
    if (!one && node->kind != YAML_LIST) {
        wrong(r, l, opt, node);
        return 0;
    }
    size_t n = one ? 1 : node->count;
    if (n < (size_t)opt->least || n > (size_t)opt->most) {
        struct option_place at = options_place(r, node);
        options_problem(r, &at, "%s%s: must have from %lld to %lld items, got %zu", l->shown, opt->key,
                        (long long)opt->least, (long long)opt->most, n);
        return 0;
    }
    *first = one ? node : node->first;
    return n;
}

void *options_list_room(struct reader *r, size_t n, size_t size) {
    void *room = arena_zalloc(r->arena, n ? n * size : 1);
    if (!room) r->count++;
    return room;
}

static void set_addresses(struct reader *r, const struct level *l, const struct option *opt,
                          const struct yaml *node, struct option_addresses *to) {
    const struct yaml *item = NULL;
    size_t n = options_list_items(r, l, opt, node, &item);
    struct net_addr *at = options_list_room(r, n, sizeof *at);
    *to = (struct option_addresses){at, at ? n : 0};
    for (size_t i = 0; item && i < to->count; i++, item = item->next) {
        if (item->kind != YAML_SCALAR)
            wrong(r, l, opt, item);
        else
            set_address(r, l, opt, item, &at[i]);
        for (size_t j = 0; j < i; j++)
            if (at[i].family && net_addr_cmp(&at[i], &at[j]) == 0) {
                struct option_place here = options_place(r, item);
                options_problem(r, &here, "%s%s: '%.*s' is here twice", l->shown, opt->key,
                                SLICE_ARG(item->text));
            }
    }
}

static void set_strings(struct reader *r, const struct level *l, const struct option *opt,
                        const struct yaml *node, struct option_strings *to) {
    const struct yaml *item = NULL;
    size_t n = options_list_items(r, l, opt, node, &item);
    const char **at = options_list_room(r, n, sizeof *at);
    *to = (struct option_strings){at, at ? n : 0};
    for (size_t i = 0; item && i < to->count; i++, item = item->next) {
        struct slice name = item->text;
        if (item->kind == YAML_SCALAR && name.len && name.at[0] == '.') name = slice_skip(name, 1);
        if (item->kind != YAML_SCALAR || !options_domain_good(name))
            wrong(r, l, opt, item);
        else
            at[i] = options_keep(r, item->text);
    }
}

void options_set_value(struct reader *r, const struct level *l, const struct option *opt,
                       const struct yaml *node) {
    void *to = (char *)l->base + opt->offset;
    if (opt->type < OPTION_STRINGS && node->kind != YAML_SCALAR) {
        wrong(r, l, opt, node);
        return;
    }
    switch (opt->type) {
    case OPTION_BOOL: set_bool(r, l, opt, node, to); break;
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_MODE: set_whole(r, l, opt, node, to); break;
    case OPTION_TIME: set_time(r, l, opt, node, to); break;
    case OPTION_NUMBER: set_number(r, l, opt, node, to); break;
    case OPTION_ENUM: set_enum(r, l, opt, node, to); break;
    case OPTION_STRING:
    case OPTION_DOMAIN:
    case OPTION_PATH: set_text(r, l, opt, node, to); break;
    case OPTION_ADDRESS:
    case OPTION_LISTEN: set_address(r, l, opt, node, to); break;
    case OPTION_ENDPOINT: set_endpoint(r, l, opt, node, to); break;
    case OPTION_STRINGS: set_strings(r, l, opt, node, to); break;
    case OPTION_ADDRESSES: set_addresses(r, l, opt, node, to); break;
    case OPTION_RECORDS: break; /* after all else: their defaults come from there */
    }
}
