/* Values of a scenario, and the keys of the table. */
#include "sim_read.h"

#include "sim_keys.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

int read_fail(struct reader *r, const struct yaml *at, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(r->err, ERR_INPUT, "%s:%u:%u: %s", r->s->file, at->line, at->column, text);
}

int read_want(struct reader *r, const struct yaml *node, enum yaml_kind kind) {
    static const char *const words[] = {"one value", "a map (key: value)", "a list"};
    if (node->kind == kind) return 0;
    return read_fail(r, node, "'%.*s' must be %s", SLICE_ARG(node->key), words[kind]);
}

int read_unknown_key(struct reader *r, const struct yaml *node, const char *where) {
    return read_fail(r, node, "unknown key '%.*s' in %s", SLICE_ARG(node->key), where);
}

bool read_is_plain(struct slice text, bool long_text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (long_text && (c == '\n' || c == '"' || c == '\\')) continue;
        if (c < ' ' || c == 127 || c == '"' || c == '\\') return false;
    }
    return true;
}

/* A decimal number such as 12 or 0.05: no sign, no exponent. */
static bool to_real(struct slice s, double *value) {
    struct slice rest = s, whole, part = {0};
    uint64_t n = 0, m = 0;
    slice_cut(&rest, '.', &whole);
    bool point = rest.at != NULL;
    part = rest;
    if (!slice_to_u64(whole, &n) || (point && (part.len > 15 || !slice_to_u64(part, &m)))) return false;
    *value = (double)n + (point ? (double)m / pow(10, (double)part.len) : 0);
    return true;
}

int read_number(struct reader *r, const struct yaml *node, double most, uint32_t *value) {
    uint64_t n;
    if (read_want(r, node, YAML_SCALAR)) return -1;
    if (!slice_to_u64(node->text, &n) || (double)n > most)
        return read_fail(r, node, "'%.*s' must be a whole number from 0 to %.0f", SLICE_ARG(node->key), most);
    *value = (uint32_t)n;
    return 0;
}

int read_real(struct reader *r, const struct yaml *node, double most, double *value) {
    if (read_want(r, node, YAML_SCALAR)) return -1;
    if (!to_real(node->text, value) || *value > most)
        return read_fail(r, node, "'%.*s' must be a number from 0 to %g", SLICE_ARG(node->key), most);
    return 0;
}

int read_word(struct reader *r, const struct yaml *node, const char *const *words, uint32_t *value) {
    char list[256] = "";
    size_t len = 0;
    if (read_want(r, node, YAML_SCALAR)) return -1;
    for (uint32_t i = 0; words[i]; i++) {
        if (slice_eq(node->text, slice_of(words[i]))) {
            *value = i;
            return 0;
        }
        int n = snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", words[i]);
        if (n > 0 && (size_t)n < sizeof list - len) len += (size_t)n;
    }
    return read_fail(r, node, "'%.*s' must be one of: %s", SLICE_ARG(node->key), list);
}

static int read_whole(struct reader *r, const struct yaml *node, double most, double *value) {
    uint32_t n = 0;
    if (read_number(r, node, most, &n)) return -1;
    *value = n;
    return 0;
}

/* "90", "1.5h": seconds where no unit stands. */
int read_time(struct reader *r, const struct yaml *node, double most, double *seconds) {
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    if (read_want(r, node, YAML_SCALAR)) return -1;
    struct slice text = node->text;
    size_t digits = 0;
    while (digits < text.len && (ascii_digit(text.at[digits]) || text.at[digits] == '.'))
        digits++;
    struct slice unit = slice_skip(text, digits);
    double times = unit.len ? 0 : 1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_eq(unit, slice_of(units[i].unit))) times = units[i].seconds;
    text.len = digits;
    if (times == 0 || !to_real(text, seconds) || (*seconds *= times) > most)
        return read_fail(r, node,
                         "'%.*s' must be a time such as 90, 500ms, 15m, 2h or 1d, at most %g seconds",
                         SLICE_ARG(node->key), most);
    return 0;
}

/* "03:30" */
int read_clock(struct reader *r, const struct yaml *node, double *seconds) {
    uint64_t hours, minutes;
    if (read_want(r, node, YAML_SCALAR)) return -1;
    struct slice t = node->text;
    if (t.len != 5 || t.at[2] != ':' || !slice_to_u64((struct slice){t.at, 2}, &hours) || hours > 23 ||
        !slice_to_u64(slice_skip(t, 3), &minutes) || minutes > 59)
        return read_fail(r, node, "'%.*s' must be a time of day such as 03:30", SLICE_ARG(node->key));
    *seconds = (double)(hours * 3600 + minutes * 60);
    return 0;
}

/* Printable ASCII: it stands in a reply. */
static int read_text(struct reader *r, const struct yaml *node, size_t most, struct slice *value) {
    if (read_want(r, node, YAML_SCALAR)) return -1;
    bool ok = node->text.len <= most;
    for (size_t i = 0; ok && i < node->text.len; i++)
        ok = node->text.at[i] >= ' ' && node->text.at[i] <= '~' && !strchr("{}\"\\", node->text.at[i]);
    if (!ok)
        return read_fail(r, node, "'%.*s' must be at most %zu printable characters", SLICE_ARG(node->key),
                         most);
    *value = node->text;
    return 0;
}

static int read_key(struct reader *r, const struct yaml *node, const struct sim_key *k,
                    struct sim_provider *p) {
    void *at = (char *)p + k->offset;
    uint32_t word = 0;
    switch (k->kind) {
    case SIM_KEY_NUMBER: return read_number(r, node, k->most, at);
    case SIM_KEY_WHOLE: return read_whole(r, node, k->most, at);
    case SIM_KEY_TIME: return read_time(r, node, k->most, at);
    case SIM_KEY_CLOCK: return read_clock(r, node, at);
    case SIM_KEY_REAL:
    case SIM_KEY_SHARE: return read_real(r, node, k->most, at);
    case SIM_KEY_WORD: return read_word(r, node, k->words, at);
    case SIM_KEY_TEXT: return read_text(r, node, (size_t)k->most, at);
    case SIM_KEY_BOOL: break;
    }
    if (read_word(r, node, sim_bool_names, &word)) return -1;
    *(bool *)at = word;
    return 0;
}

static const struct sim_key *find_key(const char *section, struct slice name) {
    for (size_t i = 0; i < sim_key_count; i++) {
        bool here =
            section ? sim_keys[i].section && strcmp(section, sim_keys[i].section) == 0 : !sim_keys[i].section;
        if (here && slice_eq(name, slice_of(sim_keys[i].name))) return &sim_keys[i];
    }
    return NULL;
}

static const char *find_section(struct slice name) {
    for (size_t i = 0; i < sim_key_count; i++)
        if (sim_keys[i].section && slice_eq(name, slice_of(sim_keys[i].section))) return sim_keys[i].section;
    return NULL;
}

int read_section(struct reader *r, const struct yaml *map, const char *section, struct sim_provider *p) {
    char where[64];
    snprintf(where, sizeof where, "'%s'", section);
    if (read_want(r, map, YAML_MAP)) return -1;
    for (const struct yaml *c = map->first; c; c = c->next) {
        const struct sim_key *k = find_key(section, c->key);
        if (!k) return read_unknown_key(r, c, where);
        if (read_key(r, c, k, p)) return -1;
    }
    return 0;
}

int read_keys(struct reader *r, const struct yaml *node, struct sim_provider *p, bool *done) {
    const char *section = find_section(node->key);
    const struct sim_key *k = section ? NULL : find_key(NULL, node->key);
    *done = section || k;
    if (section) return read_section(r, node, section, p);
    return k ? read_key(r, node, k, p) : 0;
}
