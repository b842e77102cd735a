/* Addresses and paths as a strict server reads them. */
#include "sim_smtp.h"

static bool atom_char(char c) {
    return ascii_alpha(c) || ascii_digit(c) || memchr("!#$%&'*+-/=?^_`{|}~", c, 19);
}

bool sim_beyond_ascii(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] >= 0x80) return true;
    return false;
}

static bool local_ok(struct slice local, bool utf8) {
    if (local.len == 0 || local.len > 64) return false;
    if (local.at[0] == '"') {
        if (local.len < 2 || local.at[local.len - 1] != '"') return false;
        for (size_t i = 1; i + 1 < local.len; i++) {
            if (local.at[i] == '\\' && ++i + 1 >= local.len) return false;
            bool beyond = utf8 && (unsigned char)local.at[i] >= 0x80;
            if ((!beyond && (local.at[i] < ' ' || local.at[i] > '~')) ||
                (local.at[i] == '"' && local.at[i - 1] != '\\'))
                return false;
        }
        return true;
    }
    bool dot = true; /* none at the start, none doubled, none at the end */
    for (size_t i = 0; i < local.len; i++) {
        bool beyond = utf8 && (unsigned char)local.at[i] >= 0x80;
        if (local.at[i] == '.' ? dot : !beyond && !atom_char(local.at[i])) return false;
        dot = local.at[i] == '.';
    }
    return !dot;
}

bool sim_address_ok(struct slice a, bool utf8) {
    size_t at = a.len;
    while (at > 0 && a.at[at - 1] != '@')
        at--;
    if (at == 0 || a.len > 254 || !local_ok((struct slice){a.at, at - 1}, utf8)) return false;
    struct slice domain = slice_skip(a, at), label;
    if (domain.len == 0) return false;
    while (slice_cut(&domain, '.', &label)) {
        if (label.len == 0 || label.len > 63 || label.at[0] == '-' || label.at[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!ascii_alpha(label.at[i]) && !ascii_digit(label.at[i]) && label.at[i] != '-' &&
                label.at[i] != '_')
                return false;
    }
    return true;
}

bool sim_take_path(struct slice *arg, struct slice keyword, struct slice *path) {
    if (!slice_starts_nocase(*arg, keyword)) return false;
    struct slice rest = slice_skip(*arg, keyword.len);
    bool quoted = false;
    if (rest.len == 0 || rest.at[0] != '<') return false;
    size_t i = 1;
    for (; i < rest.len && (quoted || rest.at[i] != '>'); i++) {
        if (rest.at[i] == '"') quoted = !quoted;
        if (rest.at[i] == '\\' && quoted) i++;
    }
    if (i >= rest.len) return false;
    *path = (struct slice){rest.at + 1, i - 1};
    *arg = slice_skip(rest, i + 1);
    return arg->len == 0 || arg->at[0] == ' ';
}
