/* The table as the body of a manual page. */
#include "options_inner.h"
#include "roff.h"

static void put_entry(const struct option *opt, const char *prefix, struct buf *out) {
    struct buf term, kind;
    buf_init(&term, 256);
    buf_init(&kind, 4096);
    buf_printf(&term, "%s%s", prefix, opt->key);
    buf_put_c(&term, 0);
    option_put_kind(opt, &kind);
    if (opt->reload) buf_put_text(&kind, " Changes with SIGHUP.");
    roff_entry(out, term.failed ? opt->key : term.at, NULL, slice_of(opt->help));
    roff_more(out, buf_slice(&kind));
    buf_done(&term);
    buf_done(&kind);
}

/* "- name:" of the list's records stand as providers[].name. */
static void put_fields(const struct option *opt, struct buf *out) {
    char prefix[64] = "";
    struct slice key = slice_of(opt->key);
    if (key.len + sizeof "[]." > sizeof prefix) return;
    memcpy(prefix, key.at, key.len);
    memcpy(prefix + key.len, "[].", sizeof "[].");
    for (size_t f = 0; f < opt->field_count; f++)
        put_entry(&opt->fields[f], prefix, out);
}

void options_roff(struct buf *out) {
    size_t count;
    const struct option *table = options_table(&count);
    for (size_t i = 0; i < count; i++) {
        size_t n = strcspn(table[i].key, ".");
        if (i == 0 || strncmp(table[i - 1].key, table[i].key, n) != 0 || table[i - 1].key[n] != '.') {
            char heading[64] = "";
            memcpy(heading, table[i].key, n < sizeof heading ? n : sizeof heading - 1);
            roff_subsection(out, heading);
        }
        put_entry(&table[i], "", out);
        put_fields(&table[i], out);
    }
}
