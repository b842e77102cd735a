/* The table as text: what is in force, the defaults with their meaning, the manual. */
#include "options_inner.h"
#include "units.h"

void option_put_expected(const struct option *opt, struct buf *out) {
    switch (opt->type) {
    case OPTION_BOOL: buf_put_text(out, "true or false"); return;
    case OPTION_INT:
        buf_put_text(out, "a whole number ");
        option_put_range(opt, out);
        return;
    case OPTION_NUMBER:
        buf_put_text(out, "a number such as 1.5, ");
        option_put_range(opt, out);
        return;
    case OPTION_SIZE: buf_put_text(out, "a size such as 64k, 16m or 2g"); return;
    case OPTION_DURATION: buf_put_text(out, "a duration such as 30s, 5m or 2h"); return;
    case OPTION_TIME: buf_put_text(out, "a time such as 2026-07-01T00:00:00Z"); return;
    case OPTION_MODE: buf_put_text(out, "a file mode such as 0660"); return;
    case OPTION_STRING: buf_put_text(out, "a word or text"); return;
    case OPTION_DOMAIN: buf_put_text(out, "a domain name such as mail.example.com"); return;
    case OPTION_PATH: buf_put_text(out, "a path"); return;
    case OPTION_LISTEN: buf_put_text(out, "off or an address such as 127.0.0.1:9725"); return;
    case OPTION_ADDRESS: buf_put_text(out, "an address such as 192.0.2.1 or 2001:db8::1"); return;
    case OPTION_ENDPOINT:
        buf_put_text(out, "an address with its port such as 192.0.2.1:1080 or \"[2001:db8::1]:1080\"");
        return;
    case OPTION_STRINGS: buf_put_text(out, "a list of names such as [.example.com, mx.example.net]"); return;
    case OPTION_ADDRESSES:
        buf_put_text(out, opt->port ? "addresses such as 192.0.2.1 or [127.0.0.1:5353, \"[::1]:53\"]"
                                    : "addresses such as 192.0.2.1 or [192.0.2.1, 2001:db8::1]");
        return;
    case OPTION_RECORDS: buf_put_text(out, "a list of sections"); return;
    case OPTION_ENUM: break;
    }
    buf_put_text(out, "one of ");
    for (int i = 0; opt->words[i]; i++)
        buf_printf(out, "%s%s", i ? ", " : "", opt->words[i]);
}

static void put_bound(const struct option *opt, int64_t value, struct buf *out) {
    switch (opt->type) {
    case OPTION_SIZE: units_put_size(out, value); break;
    case OPTION_DURATION: units_put_duration(out, value); break;
    case OPTION_NUMBER: units_put_number(out, (double)value / 1000); break;
    case OPTION_MODE: buf_printf(out, "%04llo", (unsigned long long)value); break;
    default: buf_put_u64(out, (uint64_t)value);
    }
}

void option_put_range(const struct option *opt, struct buf *out) {
    buf_put_text(out, "from ");
    put_bound(opt, opt->least, out);
    buf_put_text(out, " to ");
    put_bound(opt, opt->most, out);
}

/* Plain where YAML reads it back as the same text, else in double quotes. */
static void put_text(const char *text, struct buf *out) {
    static const char *const words[] = {"true", "false", "null", "~", "yes", "no", "on", "off"};
    struct slice s = slice_of(text);
    bool plain = s.len > 0 && (ascii_alpha(s.at[0]) || ascii_digit(s.at[0]) || strchr("./_", s.at[0]));
    for (size_t i = 0; i < s.len && plain; i++)
        plain = ascii_alpha(s.at[i]) || ascii_digit(s.at[i]) || strchr("-_./@+", s.at[i]);
    for (size_t i = 0; i < sizeof words / sizeof words[0] && plain; i++)
        plain = !slice_eq_nocase(s, slice_of(words[i]));
    if (!plain) buf_put_c(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < ' ' || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\') buf_put_c(out, '\\');
        buf_put_c(out, (char)c);
    }
    if (!plain) buf_put_c(out, '"');
}

static void put_address(const struct option *opt, const struct net_addr *addr, struct buf *out) {
    char text[NET_ADDR_TEXT_MAX];
    bool with_port = opt->port || opt->type == OPTION_ENDPOINT;
    int n = with_port ? net_addr_format_port(addr, text) : net_addr_format(addr, text);
    if (addr->family == NET_NONE)
        buf_put_text(out, opt->type == OPTION_LISTEN ? "off" : "\"\"");
    else {
        const char *quote = addr->family == NET_V6 ? "\"" : "";
        buf_printf(out, "%s%.*s%s", quote, n, text, quote);
    }
}

static void put_lists(const struct option *opt, const void *from, struct buf *out) {
    const struct option_addresses *addresses = from;
    const struct option_strings *strings = from;
    buf_put_c(out, '[');
    for (size_t i = 0; opt->type == OPTION_ADDRESSES && i < addresses->count; i++) {
        if (i) buf_put_text(out, ", ");
        put_address(opt, &addresses->at[i], out);
    }
    for (size_t i = 0; opt->type == OPTION_STRINGS && i < strings->count; i++) {
        if (i) buf_put_text(out, ", ");
        put_text(strings->at[i], out);
    }
    buf_put_c(out, ']');
}

static void put_time(wall_us t, struct buf *out) {
    if (t)
        units_put_time(out, t);
    else
        buf_put_text(out, "\"\"");
}

void option_put_value(const struct option *opt, const void *base, struct buf *out) {
    const void *from = (const char *)base + opt->offset;
    switch (opt->type) {
    case OPTION_BOOL: buf_put_text(out, *(const bool *)from ? "true" : "false"); break;
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_MODE: put_bound(opt, *(const int64_t *)from, out); break;
    case OPTION_TIME: put_time(*(const wall_us *)from, out); break;
    case OPTION_NUMBER: units_put_number(out, *(const double *)from); break;
    case OPTION_ENUM: buf_put_text(out, opt->words[*(const int *)from]); break;
    case OPTION_STRING:
    case OPTION_DOMAIN:
    case OPTION_PATH: {
        const char *text = *(const char *const *)from;
        put_text(text ? text : "", out);
        break;
    }
    case OPTION_ADDRESS:
    case OPTION_ENDPOINT:
    case OPTION_LISTEN: put_address(opt, from, out); break;
    case OPTION_STRINGS:
    case OPTION_ADDRESSES: put_lists(opt, from, out); break;
    case OPTION_RECORDS: break;
    }
}

void option_put_place(const struct option_place *place, struct buf *out) {
    if (place->line)
        buf_printf(out, "%s:%u:%u: ", place->file, place->line, place->column);
    else
        buf_printf(out, "%s: ", place->file);
}

void option_put_origin(const struct option_place *place, struct buf *out) {
    if (!place->file)
        buf_put_text(out, "default");
    else if (place->line)
        buf_printf(out, "%s:%u", place->file, place->line);
    else
        buf_put_text(out, place->file);
}

/* Opens the sections that `key` stands in and `before` did not; returns the key's last word and its depth. */
static const char *open_sections(const char *before, const char *key, const char *margin, struct buf *out,
                                 int *depth) {
    const char *word = key;
    *depth = 0;
    for (const char *dot; (dot = strchr(word, '.')); word = dot + 1, ++*depth) {
        size_t n = (size_t)(dot - key) + 1;
        if (before && strncmp(before, key, n) == 0) continue;
        buf_printf(out, "%s%*s%.*s:\n", margin, *depth * 2, "", (int)(dot - word), word);
    }
    return word;
}

static void show_records(const struct option *opt, const struct option_records *records, struct buf *out) {
    for (size_t i = 0; i < records->count; i++) {
        const char *base = (const char *)records->at + i * opt->record_size;
        for (size_t f = 0; f < opt->field_count; f++) {
            buf_printf(out, "  %s%s: ", f ? "  " : "- ", opt->fields[f].key);
            option_put_value(&opt->fields[f], base, out);
            buf_put_c(out, '\n');
        }
    }
}

void options_show(const struct options *o, struct buf *out) {
    size_t count;
    const struct option *table = options_table(&count);
    const char *before = NULL;
    for (size_t i = 0; i < count; before = table[i++].key) {
        int depth;
        const char *word = open_sections(before, table[i].key, "", out, &depth);
        buf_printf(out, "%*s%s: ", depth * 2, "", word);
        const struct option_records *records = (const void *)((const char *)o + table[i].offset);
        bool listed = table[i].type == OPTION_RECORDS && records->count;
        if (table[i].type == OPTION_RECORDS && !listed) buf_put_text(out, "[]");
        option_put_value(&table[i], o, out);
        buf_put_text(out, listed ? "# " : "  # ");
        option_put_origin(&o->origin[i], out);
        buf_put_c(out, '\n');
        if (listed) show_records(&table[i], records, out);
    }
}

/* Words of `text` in lines of at most 100 columns, `margin` before each. */
static void put_wrapped(const char *margin, int indent, struct slice text, struct buf *out) {
    struct slice word;
    size_t column = 0, start = strlen(margin) + (size_t)indent;
    while (slice_cut(&text, ' ', &word)) {
        if (column == 0 || column + 1 + word.len > 100) {
            buf_printf(out, "%s%*s%s", column ? "\n" : "", indent, "", margin);
            column = start;
        } else {
            buf_put_c(out, ' ');
            column++;
        }
        buf_put_slice(out, word);
        column += word.len;
    }
    buf_put_c(out, '\n');
}

static void put_fallback(const struct option *opt, struct buf *out) {
    if (opt->fallback && opt->fallback[0] == '@')
        buf_printf(out, "that of %s", opt->fallback + 1);
    else
        buf_put_text(out, opt->fallback ? opt->fallback : opt->unset);
}

void option_put_kind(const struct option *opt, struct buf *out) {
    size_t at = out->len;
    option_put_expected(opt, out);
    if (!out->failed && out->len > at && out->at[at] >= 'a' && out->at[at] <= 'z') out->at[at] -= 'a' - 'A';
    if (opt->type == OPTION_SIZE || opt->type == OPTION_DURATION) {
        buf_put_text(out, ", ");
        option_put_range(opt, out);
    }
    buf_put_text(out, opt->fallback ? ". Default: " : ". Without it: ");
    put_fallback(opt, out);
    buf_put_c(out, '.');
}

static void default_fields(const struct option *opt, struct buf *out) {
    for (size_t f = 0; f < opt->field_count; f++) {
        const struct option *field = &opt->fields[f];
        const char *shown = field->sample ? field->sample : field->fallback;
        if (shown[0] == '@') shown = options_find(slice_of(shown + 1))->fallback;
        buf_printf(out, "#  %s%s: %s\n", f ? "  " : "- ", field->key, shown);
    }
}

void options_defaults(struct buf *out) {
    size_t count;
    const struct option *table = options_table(&count);
    const char *before = NULL;
    buf_put_text(
        out,
        "# Every key of tsubame's configuration with its default. Keys that are commented out are unset.\n");
    for (size_t i = 0; i < count; before = table[i++].key) {
        const struct option *opt = &table[i];
        int depth;
        if (!before || strncmp(before, opt->key, strcspn(opt->key, ".") + 1) != 0) buf_put_c(out, '\n');
        const char *word = open_sections(before, opt->key, "", out, &depth);
        put_wrapped("# ", depth * 2, slice_of(opt->help), out);
        struct buf kind;
        buf_init(&kind, 4096);
        option_put_kind(opt, &kind);
        put_wrapped("# ", depth * 2, buf_slice(&kind), out);
        buf_done(&kind);
        buf_printf(out, "%*s%s%s: %s\n", depth * 2, "", opt->fallback ? "" : "#", word,
                   opt->fallback ? opt->fallback : "");
        if (!opt->fallback && opt->type == OPTION_RECORDS) default_fields(opt, out);
    }
}

static void manual_option(const struct option *opt, const char *prefix, struct buf *out) {
    buf_printf(out, "\n#### `%s%s`\n\n", prefix, opt->key);
    put_wrapped("", 0, slice_of(opt->help), out);
    buf_put_c(out, '\n');
    struct buf kind;
    buf_init(&kind, 4096);
    option_put_kind(opt, &kind);
    if (opt->reload) buf_put_text(&kind, " Changes with SIGHUP.");
    put_wrapped("", 0, buf_slice(&kind), out);
    buf_done(&kind);
}

void options_manual(struct buf *out) {
    size_t count;
    const struct option *table = options_table(&count);
    buf_put_text(
        out,
        "# Configuration\n\n"
        "One YAML file. It is the one named with `--config`, else by `$TSUBAME_CONFIG`, else `tsubame.yaml` "
        "in the\n"
        "present folder, else `/etc/tsubame/tsubame.yaml`; without any the defaults hold. `--set KEY=VALUE` "
        "goes over\n"
        "the file. Relative paths lie beside the file. Keys nest at their dots or are written with them\n"
        "(`deliver.port: 25`). A list of one may be written as its item. An unknown or wrong key is an "
        "error, with its\n"
        "place and what was expected.\n\n"
        "    tsubame config defaults      every key, explained, with its default\n"
        "    tsubame config check FILE    all that is wrong with a file\n"
        "    tsubame config show          what is in force, and where each value comes from\n\n"
        "This page is made by `tsubame config manual`.\n");
    for (size_t i = 0; i < count; i++) {
        size_t n = strcspn(table[i].key, ".");
        if (i == 0 || strncmp(table[i - 1].key, table[i].key, n) != 0)
            buf_printf(out, "\n## %.*s\n", (int)n, table[i].key);
        manual_option(&table[i], "", out);
        char prefix[64];
        struct buf b;
        buf_init(&b, sizeof prefix - 1);
        buf_printf(&b, "%s[].", table[i].key);
        memcpy(prefix, b.at, b.len);
        prefix[b.len] = 0;
        buf_done(&b);
        for (size_t f = 0; f < table[i].field_count; f++)
            manual_option(&table[i].fields[f], prefix, out);
    }
}
