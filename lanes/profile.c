/* What may stand in a profile, whose a host is, and what the controller is told. */
#include "profile.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *key;
    double most;
    bool whole;
    bool only_ceiling;
} numbers[PROFILE_NUMBERS] = {
    [PROFILE_CONNECTIONS] = {"connections", 10000, true, false},
    [PROFILE_RATE] = {"messages_per_second", 1000000, false, false},
    [PROFILE_PER_CONNECTION] = {"messages_per_connection", 1000000, true, false},
    [PROFILE_NEW_CONNECTIONS] = {"connections_per_minute", 1000000, false, false},
    [PROFILE_QUOTA] = {"messages_per_day", 1e12, true, true},
    [PROFILE_SESSION_RECIPIENTS] = {"recipients_per_session", 1000000, true, true},
};

const char *profile_number_key(enum profile_number n) {
    return numbers[n].key;
}

const char *profile_origin_name(enum profile_origin o) {
    static const char *const names[PROFILE_ORIGINS] = {"nobody",   "shaping", "community",
                                                       "provider", "field",   "own"};
    return o < PROFILE_ORIGINS ? names[o] : "nobody";
}

/* Of what is given: 0 is not. */
static const char *number_fault(enum profile_number n, double x) {
    if (isnan(x) || x < 0) return "must be more than 0";
    if (x > numbers[n].most) return "is more than any provider takes";
    if (numbers[n].whole && floor(x) != x) return "must be a whole number";
    if (x > 0 && x < 0.001) return "must be 0.001 at least";
    return NULL;
}

const char *profile_bounds_fault(enum profile_number n, const struct learn_bounds *b) {
    const char *fault = number_fault(n, b->floor);
    if (!fault) fault = number_fault(n, b->start);
    if (!fault) fault = number_fault(n, b->ceiling);
    if (fault) return fault;
    if (numbers[n].only_ceiling && (b->floor > 0 || b->start > 0)) return "takes a ceiling only";
    if (b->ceiling > 0 && b->floor > b->ceiling) return "the floor is above the ceiling";
    if (b->ceiling > 0 && b->start > b->ceiling) return "the start is above the ceiling";
    if (b->start > 0 && b->start < b->floor) return "the start is below the floor";
    return NULL;
}

/* Names under which strangers register names: .co.jp, .com.au. Not a list of them all, but of what a slip of
 * the pen may leave. */
static bool is_registry(struct slice second, struct slice top) {
    static const char *const words[] = {"ac", "ad",   "co", "com", "ed", "edu", "gen", "go", "gob", "gov",
                                        "gr", "gouv", "lg", "mil", "ne", "net", "nom", "or", "org", "sch"};
    for (size_t i = 0; top.len == 2 && i < sizeof words / sizeof *words; i++)
        if (slice_eq_nocase(second, slice_of(words[i]))) return true;
    return false;
}

static bool good_label(struct slice l) {
    if (l.len == 0 || l.len > 63 || l.at[0] == '-' || l.at[l.len - 1] == '-') return false;
    for (size_t i = 0; i < l.len; i++)
        if (!ascii_alpha(l.at[i]) && !ascii_digit(l.at[i]) && l.at[i] != '-' && l.at[i] != '_') return false;
    return true;
}

const char *profile_suffix_fault(struct slice suffix) {
    bool any = suffix.len && suffix.at[0] == '.';
    struct slice rest = any ? slice_skip(suffix, 1) : suffix, label, second = {0}, top = {0};
    unsigned labels = 0;
    if (rest.len == 0) return any ? "all names end so" : "is empty";
    if (suffix.len > 253) return "is longer than a name can be";
    if (rest.at[rest.len - 1] == '.') return "is no name: the dot at its end";
    while (slice_cut(&rest, '.', &label)) {
        if (!good_label(label)) return "is no name of hosts";
        second = top;
        top = label;
        labels++;
    }
    if (labels < 2) return "has one label only: too many names end so";
    if (any && labels == 2 && is_registry(second, top)) return "is a registry: too many names end so";
    return NULL;
}

struct profile *profile_named(struct profile *list, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++)
        if (slice_eq(name, slice_of(list[i].name))) return &list[i];
    return NULL;
}

/* Whole labels, because a suffix opens with its dot. */
static bool fits(struct slice host, struct slice suffix) {
    return suffix.at[0] == '.' ? host.len > suffix.len && slice_ends_nocase(host, suffix)
                               : slice_eq_nocase(host, suffix);
}

size_t profile_match(const char *const *suffixes, size_t count, struct slice host) {
    size_t best = 0;
    if (host.len && host.at[host.len - 1] == '.') host.len--;
    for (size_t i = 0; i < count; i++) {
        struct slice suffix = slice_of(suffixes[i]);
        if (suffix.len > best && fits(host, suffix)) best = suffix.len;
    }
    return best;
}

const struct profile *profile_of_host(const struct profile *list, size_t count, struct slice host) {
    const struct profile *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < count; i++) {
        const struct profile *p = &list[i];
        size_t len = best && best->own && !p->own ? 0 : profile_match(p->suffixes, p->suffix_count, host);
        if (len == 0 || (best && best->own == p->own && len <= best_len)) continue;
        best = p;
        best_len = len;
    }
    return best;
}

void profile_fill(struct profile *p, const struct profile *other) {
    for (int n = 0; n < PROFILE_NUMBERS; n++) {
        struct learn_bounds *b = &p->limits[n].bounds;
        double start = other->limits[n].bounds.start;
        if (b->start > 0 || start == 0) continue;
        if (b->ceiling > 0 && start > b->ceiling) start = b->ceiling;
        b->start = start < b->floor ? b->floor : start;
        if (p->limits[n].from == PROFILE_FROM_NOBODY) p->limits[n].from = other->limits[n].from;
    }
}

struct learn_profile profile_learn(const struct profile *p) {
    struct learn_profile out = {.connections = p->limits[PROFILE_CONNECTIONS].bounds,
                                .rate = p->limits[PROFILE_RATE].bounds,
                                .per_connection = p->limits[PROFILE_PER_CONNECTION].bounds,
                                .new_connections = p->limits[PROFILE_NEW_CONNECTIONS].bounds,
                                .quota = p->limits[PROFILE_QUOTA].bounds};
    double most = p->limits[PROFILE_SESSION_RECIPIENTS].bounds.ceiling;
    struct learn_bounds *b = &out.per_connection;
    if (most > 0 && (b->ceiling == 0 || b->ceiling > most)) {
        b->ceiling = most;
        if (b->start > most) b->start = most;
        if (b->floor > most) b->floor = most;
    }
    return out;
}
