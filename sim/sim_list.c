/* CSV: fields in quotes may hold commas, line ends and doubled quotes. */
#include "sim_list.h"

enum { FIELD_MAX = 64 << 10, COLUMNS_MAX = 1000 };

/* One field into l->field. Returns what ended it: ',', '\n', or 0 at the end of the file. */
static char take_field(struct sim_list *l) {
    struct slice s = l->rest;
    size_t i = 0;
    bool quoted = s.len && s.at[0] == '"', inside = quoted;
    buf_reset(&l->field);
    for (i = quoted; i < s.len; i++) {
        char c = s.at[i];
        if (inside && c == '"') {
            inside = i + 1 < s.len && s.at[i + 1] == '"';
            if (!inside) continue;
            i++;
        } else if (!inside && (c == ',' || c == '\n')) {
            l->rest = slice_skip(s, i + 1);
            if (c == '\n') l->line++;
            return c;
        } else if (c == '\n') {
            l->line++;
        }
        if (l->field.len < FIELD_MAX) buf_put_c(&l->field, c);
    }
    l->rest = (struct slice){0};
    return 0;
}

static struct slice field(const struct sim_list *l) {
    return slice_trim(buf_slice(&l->field));
}

static bool is_column(struct slice name, const char *wanted) {
    static const char *const usual[] = {"email", "address", "rcpt", "recipient", "to"};
    if (wanted) return slice_eq_nocase(name, slice_of(wanted));
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (slice_eq_nocase(name, slice_of(usual[i]))) return true;
    return false;
}

int sim_list_open(struct sim_list *l, struct slice text, const char *name, const char *column,
                  struct err *err) {
    *l = (struct sim_list){.rest = text, .name = name};
    buf_init(&l->field, FIELD_MAX + 16);
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) l->rest = slice_skip(text, 3);
    struct slice begin = l->rest;
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        char end = take_field(l);
        if (i == 0 && !column && slice_find(field(l), '@') >= 0) {
            l->rest = begin;
            l->line = 0;
            return 0;
        }
        if (is_column(field(l), column)) {
            l->column = i;
            while (end == ',')
                end = take_field(l);
            return 0;
        }
        if (end != ',') break;
    }
    return err_set(err, ERR_INPUT, "%s:1: there is no column '%s'", name,
                   column ? column : "email (or address, rcpt, recipient, to)");
}

bool sim_list_next(struct sim_list *l, struct slice *address) {
    while (l->rest.len) {
        char end = ',';
        struct slice found = {0};
        size_t i = 0;
        for (; end == ',' && i < l->column; i++)
            end = take_field(l);
        if (i == l->column && end == ',') {
            end = take_field(l);
            found = field(l);
        }
        /* The field stays as it is while the rest of the record is passed over. */
        struct sim_list skip = *l;
        buf_init(&skip.field, FIELD_MAX + 16);
        while (end == ',')
            end = take_field(&skip);
        l->rest = skip.rest;
        l->line = skip.line;
        buf_done(&skip.field);
        if (!found.len) continue;
        *address = found;
        return true;
    }
    return false;
}

void sim_list_done(struct sim_list *l) {
    buf_done(&l->field);
}
