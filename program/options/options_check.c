/* What one option cannot know of itself: sets that belong together, names given twice; and the defaults that
 * follow from other options or from this host. */
#include "options_inner.h"

#include <errno.h>
#include <unistd.h>

enum { HISTORY_SIZE_LEAST = 4096 };

bool options_domain_good(struct slice name) {
    struct slice label;
    if (name.len == 0 || name.len > 253) return false;
    for (struct slice rest = name; slice_cut(&rest, '.', &label);) {
        if (label.len == 0 || label.len > 63 || label.at[0] == '-' || label.at[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!ascii_alpha(label.at[i]) && !ascii_digit(label.at[i]) && label.at[i] != '-' &&
                label.at[i] != '_')
                return false;
    }
    return name.at[name.len - 1] != '.';
}

static const struct option_place *given(const struct options *o, const char *key) {
    const struct option_place *place = &o->origin[options_index(key)];
    return place->file ? place : NULL;
}

static void check_dkim(struct reader *r, const struct options *o) {
    const struct option_dkim *all = o->dkim.at;
    for (size_t i = 0; i < o->dkim.count; i++) {
        const struct option_dkim *k = &all[i];
        const char *lacks = !k->domain     ? "domain"
                            : !k->selector ? "selector"
                            : !k->key_file ? "key_file"
                                           : NULL;
        if (lacks) options_problem(r, &k->place, "dkim[%zu].%s is missing", i, lacks);
        if (k->from && k->until && k->from >= k->until)
            options_problem(r, &k->place, "dkim[%zu].until must be later than dkim[%zu].from", i, i);
        /* A key that is not for whoever asks is no fault: it is the engine that must read it, and says so. */
        if (lacks || access(k->key_file, R_OK) == 0 || errno == EACCES) continue;
        char reason[128];
        const char *text = strerror_r(errno, reason, sizeof reason);
        options_problem(r, &k->place, "dkim[%zu].key_file: %s: %s", i, k->key_file, text);
    }
}

static void check_retry(struct reader *r, const struct options *o) {
    const struct option_place *place = given(o, "deliver.retry.most");
    if (!place) place = given(o, "deliver.retry.first");
    if (place && o->deliver.retry.first > o->deliver.retry.most)
        options_problem(r, place, "deliver.retry.first must not be longer than deliver.retry.most");
}

/* "20" is likely to mean 20g, and what it would take away does not come back. */
static void check_history(struct reader *r, const struct options *o) {
    if (o->history.max_size && o->history.max_size < HISTORY_SIZE_LEAST)
        options_problem(
            r, given(o, "history.max_size"),
            "history.max_size: at least 4k, or 0 for no limit, got %lld bytes (20g is with a unit)",
            (long long)o->history.max_size);
}

static char *address_name(struct reader *r, const struct net_addr *addr) {
    char text[NET_ADDR_TEXT_MAX];
    int n = net_addr_format(addr, text);
    return options_keep(r, addr->family ? slice_make(text, (size_t)n) : SLICE("default"));
}

static void make_sources(struct reader *r, struct options *o) {
    size_t n = o->deliver.bind.count ? o->deliver.bind.count : 1;
    struct option_source *at = options_list_room(r, n, sizeof *at);
    if (!at) return;
    for (size_t i = 0; i < n && o->deliver.bind.count; i++)
        at[i].address = o->deliver.bind.at[i];
    o->sources = (struct option_records){at, n};
}

static void check_proxy(struct reader *r, const struct option_source *s, size_t i) {
    static const char *const words[] = {"none", "haproxy", "socks5"};
    int p = s->proxy.protocol;
    bool log_in = s->proxy.user || s->proxy.password_file;
    if (p != OPTION_PROXY_NONE && !s->proxy.address.family)
        options_problem(r, &s->place, "sources[%zu].proxy.address is missing", i);
    if (p == OPTION_PROXY_NONE && (s->proxy.address.family || log_in))
        options_problem(r, &s->place, "sources[%zu].proxy.protocol is missing: haproxy or socks5", i);
    if (p == OPTION_PROXY_HAPROXY && !s->address.family)
        options_problem(r, &s->place, "sources[%zu].address is missing: the proxy is told to send from it",
                        i);
    if (p == OPTION_PROXY_HAPROXY && log_in)
        options_problem(r, &s->place, "sources[%zu].proxy: there is no log-in with %s", i, words[p]);
    if (!s->proxy.user != !s->proxy.password_file)
        options_problem(r, &s->place, "sources[%zu].proxy: user and password_file go together", i);
    if (s->proxy.user && strlen(s->proxy.user) > 255)
        options_problem(r, &s->place, "sources[%zu].proxy.user: longer than 255 bytes", i);
    if (!s->proxy.password_file || access(s->proxy.password_file, R_OK) == 0 || errno == EACCES) return;
    char reason[128];
    const char *text = strerror_r(errno, reason, sizeof reason);
    options_problem(r, &s->place, "sources[%zu].proxy.password_file: %s: %s", i, s->proxy.password_file,
                    text);
}

static void check_sources(struct reader *r, struct options *o) {
    if (o->sources.count && o->deliver.bind.count)
        options_problem(r, given(o, "sources"), "sources: give either sources or deliver.bind, not both");
    if (o->sources.count == 0) make_sources(r, o);
    struct option_source *all = o->sources.at;
    for (size_t i = 0; i < o->sources.count; i++) {
        if (!all[i].helo) all[i].helo = o->deliver.helo;
        if (!all[i].name) all[i].name = address_name(r, &all[i].address);
        check_proxy(r, &all[i], i);
        for (size_t j = 0; j < i && all[i].name; j++)
            if (all[j].name && strcmp(all[i].name, all[j].name) == 0)
                options_problem(r, &all[i].place, "sources[%zu].name: '%s' is here twice (first in line %u)",
                                i, all[i].name, all[j].place.line);
    }
}

/* A host without a name of its own is called localhost: receivers on the internet refuse that, and say so. */
static void fill_helo(struct reader *r, struct options *o) {
    char name[256] = "";
    if (o->deliver.helo) return;
    if (gethostname(name, sizeof name - 1) || !options_domain_good(slice_of(name)))
        memcpy(name, "localhost", sizeof "localhost");
    o->deliver.helo = options_keep(r, slice_of(name));
}

static void fill_socket(struct reader *r, struct options *o) {
    if (o->control.socket || !o->store.path) return;
    struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/control.sock", o->store.path);
    o->control.socket = options_keep(r, buf_slice(&path));
    buf_done(&path);
}

void options_check(struct reader *r, struct options *o) {
    check_dkim(r, o);
    check_retry(r, o);
    check_history(r, o);
    options_make_providers(r, o);
    fill_helo(r, o);
    check_sources(r, o);
    fill_socket(r, o);
    if (o->store.path == NULL)
        options_problem(r, given(o, "store.path"), "store.path: expected a path, got nothing");
    else if (o->control.socket && strlen(o->control.socket) > 100)
        options_problem(r, given(o, "control.socket") ? given(o, "control.socket") : given(o, "store.path"),
                        "control.socket: the path is longer than the 100 bytes that a Unix socket takes: %s",
                        o->control.socket);
}
