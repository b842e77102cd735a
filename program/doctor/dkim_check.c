/* The DKIM keys looked at as an operator would. */
#include "dkim_check.h"

#include "dkim_choice.h"
#include "shown.h"
#include "units.h"

#include <stdlib.h>
#include <sys/stat.h>

struct checked {
    const struct option_dkim *option;
    struct dkim_key *key; /* NULL: it could not be read */
    struct buf record;
};

struct checking {
    const struct options *options;
    wall_us now;
    struct buf *problems, *warnings;
    struct checked *keys;
    struct dkim_rule *rules;
    size_t count;
};

static void say(struct buf *to, const struct option_place *at, size_t index, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct buf *to, const struct option_place *at, size_t index, const char *format, ...) {
    struct buf text;
    va_list args;
    buf_init(&text, 65536);
    option_put_place(at, &text);
    buf_printf(&text, "dkim[%zu]: ", index);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    shown_put(to, buf_slice(&text));
    buf_put_c(to, '\n');
    buf_done(&text);
}

void dkim_check_file(const char *path, struct buf *out) {
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return;
    if (st.st_mode & (S_IROTH | S_IWOTH))
        buf_printf(out,
                   "%s may be %s by everybody here (mode %04o): chmod 600, or 640 with the group of run.user",
                   path, st.st_mode & S_IWOTH ? "written" : "read", (unsigned)st.st_mode & 07777);
}

static void check_key(struct checking *c, size_t i) {
    struct checked *k = &c->keys[i];
    const struct option_dkim *o = k->option;
    struct err err;
    k->key = dkim_key_read_file(o->key_file, &err);
    if (!k->key || dkim_key_record(k->key, &k->record, &err)) {
        say(c->problems, &o->place, i, "%s", err.text);
        return;
    }
    c->rules[i].algorithm = dkim_key_algorithm(k->key);
    struct buf text;
    buf_init(&text, 8192);
    dkim_check_file(o->key_file, &text);
    if (text.len) say(c->warnings, &o->place, i, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    unsigned bits = dkim_key_bits(k->key);
    if (c->rules[i].algorithm == DKIM_RSA_SHA256 && bits < DKIM_BITS_USUAL)
        say(c->warnings, &o->place, i, "%u bits are fewer than the %d that receivers expect of RSA", bits,
            DKIM_BITS_USUAL);
    if (o->until && o->until <= c->now)
        say(c->warnings, &o->place, i, "its time is over: it can be taken out");
}

static void check_pair(struct checking *c, size_t i, size_t j) {
    const struct checked *a = &c->keys[j], *b = &c->keys[i];
    if (!a->key || !b->key || !slice_eq_nocase(c->rules[i].domain, c->rules[j].domain)) return;
    bool one_name = slice_eq_nocase(slice_of(a->option->selector), slice_of(b->option->selector));
    if (one_name && !slice_eq(buf_slice(&a->record), buf_slice(&b->record)))
        say(c->problems, &b->option->place, i,
            "the selector %s of %s is that of dkim[%zu], and one record can't publish two keys",
            b->option->selector, b->option->domain, j);
    else if (c->rules[i].algorithm == c->rules[j].algorithm && a->option->from == b->option->from)
        say(c->warnings, &b->option->place, i,
            "dkim[%zu] is of the same domain, kind and from: that one signs", j);
}

/* The first moment from now on at which mail from the rule's own domain is signed by nobody; NEVER for none.
 */
static wall_us first_gap(const struct dkim_rule *rules, size_t count, struct slice domain, wall_us now) {
    for (wall_us t = now; t != NEVER;) {
        struct dkim_choice choice = dkim_choose(rules, count, domain, t);
        if (choice.count == 0) return t;
        t = choice.until;
    }
    return NEVER;
}

static void put_gap(wall_us gap, wall_us now, struct buf *out) {
    if (gap <= now) {
        buf_put_text(out, "no key is valid now");
        return;
    }
    buf_put_text(out, "no key is valid from ");
    units_put_time(out, gap);
    buf_put_text(out, " on");
}

static void check_times(struct checking *c, size_t i) {
    for (size_t j = 0; j < i; j++)
        if (slice_eq_nocase(c->rules[i].domain, c->rules[j].domain)) return; /* it was said there */
    wall_us gap = first_gap(c->rules, c->count, c->rules[i].domain, c->now);
    struct buf text;
    if (gap == NEVER) return;
    buf_init(&text, 256);
    put_gap(gap, c->now, &text);
    say(c->warnings, &c->keys[i].option->place, i, "for %s %.*s: mail goes out unsigned then",
        c->keys[i].option->domain, SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
}

static struct dkim_rule *make_rules(const struct options *o) {
    const struct option_dkim *all = o->dkim.at;
    struct dkim_rule *rules = calloc(o->dkim.count + 1, sizeof *rules);
    for (size_t i = 0; rules && i < o->dkim.count; i++)
        rules[i] = (struct dkim_rule){.domain = slice_of(all[i].domain),
                                      .from = all[i].from,
                                      .until = all[i].until ? all[i].until : NEVER,
                                      .any_from = all[i].any_from};
    return rules;
}

void dkim_check(const struct options *o, wall_us now, struct buf *problems, struct buf *warnings) {
    struct checking c = {o, now, problems, warnings, NULL, make_rules(o), o->dkim.count};
    const struct option_dkim *all = o->dkim.at;
    c.keys = calloc(c.count + 1, sizeof *c.keys);
    for (size_t i = 0; c.keys && c.rules && i < c.count; i++) {
        c.keys[i].option = &all[i];
        buf_init(&c.keys[i].record, 8192);
        check_key(&c, i);
        for (size_t j = 0; j < i; j++)
            check_pair(&c, i, j);
        check_times(&c, i);
    }
    for (size_t i = 0; c.keys && i < c.count; i++) {
        dkim_key_free(c.keys[i].key);
        buf_done(&c.keys[i].record);
    }
    free(c.keys);
    free(c.rules);
}

void dkim_check_from(const struct options *o, struct slice from_domain, wall_us now, struct buf *warning) {
    struct dkim_rule *rules = make_rules(o);
    if (!rules || o->dkim.count == 0) {
        free(rules);
        return;
    }
    struct dkim_choice choice = dkim_choose(rules, o->dkim.count, from_domain, now);
    wall_us gap = first_gap(rules, o->dkim.count, from_domain, now);
    if (gap != NEVER) {
        buf_printf(warning, "DKIM: for From at %.*s ", SLICE_ARG(from_domain));
        put_gap(gap, now, warning);
        buf_put_text(warning, ": the mail goes out unsigned");
        if (gap > now) buf_put_text(warning, " then");
    } else if (!choice.aligned) {
        buf_printf(warning, "DKIM: mail from %.*s is signed by %.*s, which does not align for DMARC",
                   SLICE_ARG(from_domain), SLICE_ARG(rules[choice.rules[0]].domain));
    }
    free(rules);
}
