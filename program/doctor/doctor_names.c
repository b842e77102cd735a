/* Facts out of the DNS, and the way to a receiver's port. Nobody is asked who was not named: own names go to
 * the configured resolvers, a foreign host is knocked at only with --connect or --try. */
#include "doctor.h"

#include "dkim_key.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void unasked(struct doctor *d, const char *name, const char *about) {
    struct verdict v;
    verdict_set(&v, VERDICT_UNCHECKED, "the resolver: %.300s", d->names_error.text);
    doctor_find_as(d, name, about, &v);
}

/* Answered, or told as unchecked. */
static struct records_answer *ask(struct doctor *d, const char *name, uint16_t type) {
    return d->names ? names_ask(d->names, name, type, NULL) : NULL;
}

/* ---- the resolver ---- */

static void servers_text(const struct options *o, char *room, size_t size) {
    struct buf text;
    buf_init(&text, size - 1);
    for (size_t i = 0; i < o->dns.servers.count; i++) {
        char one[NET_ADDR_TEXT_MAX];
        net_addr_format_port(&o->dns.servers.at[i], one);
        buf_printf(&text, "%s%s", i ? ", " : "", one);
    }
    if (o->dns.servers.count == 0) buf_put_text(&text, "the resolver of /etc/resolv.conf");
    snprintf(room, size, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
}

void doctor_resolver(struct doctor *d) {
    const struct option_source *sources = d->options->sources.at;
    char servers[300];
    struct verdict v;
    const char *name = d->try ? d->try : sources
        [0].helo;
    struct resolver_facts f = {.name = name, .servers = servers};
    servers_text(d->options, servers, sizeof servers);
    struct records_answer *a =
        d->names && name ? names_ask(d->names, name, d->try ? DNS_MX : DNS_A, &f.took_us) : NULL;
    if (!d->names) {
        unasked(d, "resolver", "");
    } else if (a) {
        f.answer = a;
        verdict_resolver(&f, &v);
        doctor_find_as(d, "resolver", "", &v);
        if (v.result == VERDICT_WRONG &&
            strcmp(a->why, "time-out") == 0) { /* no use in waiting for it again */
            names_ask_close(d->names);
            d->names = NULL;
            err_set(&d->names_error, ERR_BUSY, "it does not answer");
        }
    }
    free(a);
    if (d->options->dns.trust_anchor) {
        verdict_set(&v, VERDICT_GOOD, "checked from %s", d->options->dns.trust_anchor);
    } else {
        verdict_set(&v, VERDICT_ADVICE, "answers are taken without DNSSEC");
        verdict_why(&v, "Whoever answers in the resolver's place decides where your mail goes.");
        verdict_mend(
            &v,
            "apt-get install dns-root-data; in the configuration: dns.trust_anchor: /usr/share/dns/root.key");
    }
    doctor_find_as(d, "dnssec", "", &v);
}

/* ---- sources ---- */

/* What the system would send from: a datagram socket is connected, nothing is sent. */
static struct net_addr chosen(void) {
    static const char *const far[] = {"192.0.2.1",
                                      "2001:db8::1"}; /* for documentation: any outer address does */
    struct net_addr none = {.family = NET_NONE};
    for (int i = 0; i < 2; i++) {
        struct net_addr to, got;
        struct sockaddr_storage addr;
        net_addr_parse(slice_of(far[i]), 25, &to);
        socklen_t n = net_addr_to_sockaddr(&to, &addr), m = sizeof addr;
        int fd = socket(addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool good = fd >= 0 && connect(fd, (struct sockaddr *)&addr, n) == 0 &&
                    getsockname(fd, (struct sockaddr *)&addr, &m) == 0 &&
                    net_addr_from_sockaddr((struct sockaddr *)&addr, &got);
        if (fd >= 0) close(fd);
        if (good) return net_addr_with_port(got, 0);
    }
    return none;
}

static void try_bind(struct source_facts *f) {
    struct sockaddr_storage addr;
    f->bindable = true;
    if (f->address.family == NET_NONE) {
        f->used = chosen();
        return;
    }
    f->used = net_addr_with_port(f->address, 0);
    socklen_t n = net_addr_to_sockaddr(&f->used, &addr);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    f->bindable = fd >= 0 && bind(fd, (struct sockaddr *)&addr, n) == 0;
    f->error = errno;
    if (fd >= 0) close(fd);
}

/* Does one of the PTR names lead back? At most a few are followed. */
static bool confirm(struct doctor *d, const struct source_facts *f) {
    enum { FOLLOWED = 5 };
    char wanted[NET_ADDR_TEXT_MAX];
    bool back = false;
    net_addr_format(&f->used, wanted);
    for (size_t i = 0; i < f->reverse->count && i < FOLLOWED && !back; i++) {
        char name[DNS_NAME_MAX + 1];
        struct slice value = f->reverse->values[i];
        snprintf(name, sizeof name, "%.*s", SLICE_ARG(value));
        struct records_answer *a = ask(d, name, f->used.family == NET_V4 ? DNS_A : DNS_AAAA);
        for (size_t k = 0; a && k < a->count; k++)
            back |= slice_eq(a->values[k], slice_of(wanted));
        free(a);
    }
    return back;
}

static void check_source(struct doctor *d, const struct option_source *s) {
    struct source_facts f = {
        .address = s->address, .helo = s->helo, .private_hosts = d->options->deliver.private_hosts};
    char reverse[DNS_NAME_MAX + 1];
    const char *about = s->name ? s->name : "the system's choice";
    struct verdict v;
    try_bind(&f);
    verdict_source_address(&f, &v);
    doctor_find_as(d, "address", about, &v);
    verdict_helo(s->helo, d->options->sources.count > 1 ? "sources: helo" : "deliver.helo", &v);
    doctor_find_as(d, "helo", about, &v);
    bool named = v.result == VERDICT_GOOD;
    if (!d->names) {
        unasked(d, "names", about);
        return;
    }
    struct records_answer *forward = NULL, *back = NULL;
    if (named && f.used.family != NET_NONE)
        forward = ask(d, s->helo, f.used.family == NET_V4 ? DNS_A : DNS_AAAA);
    f.forward = forward;
    if (named) verdict_source_helo(&f, &v);
    if (named) doctor_find_as(d, "helo-leads-here", about, &v);
    if (f.used.family != NET_NONE) {
        records_reverse_name(&f.used, reverse);
        back = ask(d, reverse, DNS_PTR);
        f.reverse = back;
        f.confirmed = back && back->status == RECORDS_FOUND && confirm(d, &f);
    }
    verdict_source_reverse(&f, &v);
    if (v.result == VERDICT_WRONG && f.address.family == NET_NONE && !net_addr_is_public(&f.used)) {
        verdict_set(&v, VERDICT_UNCHECKED, "the address that the internet sees is not known here (NAT)");
    }
    doctor_find_as(d, "reverse", about, &v);
    free(forward);
    free(back);
}

void doctor_sources(struct doctor *d) {
    const struct option_source *all = d->options->sources.at;
    for (size_t i = 0; i < d->options->sources.count; i++)
        check_source(d, &all[i]);
}

/* ---- DKIM, DMARC, SPF ---- */

static void check_published(struct doctor *d, const struct option_dkim *o) {
    char name[600];
    struct buf wanted;
    struct verdict v;
    struct err err;
    struct dkim_key *key = dkim_key_read_file(o->key_file, &err);
    if (!key) return; /* told as a fault of the configuration */
    buf_init(&wanted, 8192);
    snprintf(name, sizeof name, "%s._domainkey.%s", o->selector, o->domain);
    struct records_answer *a = dkim_key_record(key, &wanted, &err) ? NULL : ask(d, name, DNS_TXT);
    if (a) {
        verdict_dkim(dkim_published(a, buf_slice(&wanted)), a, name, buf_slice(&wanted), &v);
        if (v.result == VERDICT_WRONG && o->from > clock_wall())
            v.result = VERDICT_ADVICE; /* not needed yet */
        doctor_find_as(d, "record", name, &v);
    }
    free(a);
    buf_done(&wanted);
    dkim_key_free(key);
}

void doctor_dkim(struct doctor *d) {
    const struct option_dkim *all = d->options->dkim.at;
    struct verdict v;
    if (d->options->dkim.count == 0) {
        verdict_set(&v, VERDICT_ADVICE, "no key is configured: mail goes out unsigned");
        verdict_why(&v, "Google, Yahoo and others want DKIM of everybody who sends much.");
        verdict_mend(
            &v,
            "tsubame dkim-key --domain example.com --selector s1 --out dkim.pem; it prints what to do then");
        doctor_find_as(d, "keys", "", &v);
        return;
    }
    if (!d->names) unasked(d, "record", "");
    for (size_t i = 0; d->names && i < d->options->dkim.count; i++)
        if (!all[i].until || all[i].until > clock_wall()) check_published(d, &all[i]);
}

/* Public source addresses; how many. */
static size_t public_sources(const struct options *o, struct net_addr *to, size_t room) {
    const struct option_source *all = o->sources.at;
    size_t n = 0;
    for (size_t i = 0; i < o->sources.count && n < room; i++) {
        struct net_addr a =
            all[i].address.family == NET_NONE ? chosen() : net_addr_with_port(all[i].address, 0);
        if (a.family != NET_NONE && (net_addr_is_public(&a) || o->deliver.private_hosts)) to[n++] = a;
    }
    return n;
}

static void check_domain(struct doctor *d, const char *domain, bool from, const struct net_addr *sources,
                         size_t count) {
    char name[600];
    struct verdict v;
    snprintf(name, sizeof name, "_dmarc.%s", domain);
    struct records_answer *dmarc = from ? ask(d, name, DNS_TXT) : NULL, *spf = ask(d, domain, DNS_TXT);
    if (dmarc) {
        verdict_dmarc(dmarc, domain, &v);
        doctor_find_as(d, "dmarc", domain, &v);
    }
    if (spf) {
        verdict_spf(spf, domain, sources, count, &v);
        doctor_find_as(d, "spf", domain, &v);
    }
    free(dmarc);
    free(spf);
}

/* The domains that are known before there is a campaign: those that sign, and that of return paths. */
void doctor_policies(struct doctor *d) {
    enum { SOURCES = 256 };
    const struct options *o = d->options;
    const struct option_dkim *keys = o->dkim.at;
    const char *back = o->identity.return_path_domain;
    struct net_addr *sources = calloc(SOURCES, sizeof *sources);
    size_t count = sources ? public_sources(o, sources, SOURCES) : 0;
    struct verdict v;
    if (!d->names) unasked(d, "spf", "");
    for (size_t i = 0; d->names && i < o->dkim.count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= slice_eq_nocase(slice_of(keys[k].domain), slice_of(keys[i].domain));
        if (back && slice_eq_nocase(slice_of(back), slice_of(keys[i].domain))) back = NULL;
        if (!seen) check_domain(d, keys[i].domain, true, sources, count);
    }
    if (d->names && back) check_domain(d, back, false, sources, count);
    if (o->dkim.count == 0 && !o->identity.return_path_domain) {
        verdict_set(&v, VERDICT_UNCHECKED,
                    "no domain of yours is in the configuration (dkim, identity.return_path_domain)");
        doctor_find_as(d, "spf", "", &v);
    }
    free(sources);
}

/* ---- the way out ---- */

enum { CONNECT_MS = 10000, GREETING_MS = 30000 };

/* Connects and reads the greeting; then it hangs up. err says what did not work. */
static int knock(const struct net_addr *to, const struct net_addr *from, char greeting[160],
                 struct err *err) {
    struct sockaddr_storage addr;
    char text[NET_ADDR_TEXT_MAX];
    socklen_t n = net_addr_to_sockaddr(to, &addr);
    net_addr_format_port(to, text);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    struct pollfd p = {fd, POLLOUT, 0};
    socklen_t size = sizeof error;
    if (fd < 0) return err_errno(err, errno, "a socket");
    if (from->family == to->family) {
        struct sockaddr_storage local;
        socklen_t m = net_addr_to_sockaddr(from, &local);
        (void)!bind(fd, (struct sockaddr *)&local, m);
    }
    int failed = connect(fd, (struct sockaddr *)&addr, n) && errno != EINPROGRESS;
    if (failed) error = errno;
    if (!failed && poll(&p, 1, CONNECT_MS) != 1) failed = -1, error = ETIMEDOUT;
    if (!failed && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)) failed = -1;
    p.events = POLLIN;
    ssize_t got = 0;
    if (!failed && (poll(&p, 1, GREETING_MS) != 1 || (got = read(fd, greeting, 159)) <= 0))
        failed = -1, error = got < 0 ? errno : ETIMEDOUT;
    close(fd);
    greeting[got > 0 ? got : 0] = 0;
    for (char *c = greeting; *c; c++)
        if (*c == '\r' || *c == '\n') *c = 0;
    return failed ? err_errno(err, error, "%s", text) : 0;
}

static void check_host(struct doctor *d, const struct net_addr *to, const char *about) {
    const struct option_source *s = d->options->sources.at;
    char greeting[160] = "", text[NET_ADDR_TEXT_MAX];
    struct verdict v;
    struct err err;
    net_addr_format_port(to, text);
    if (knock(to, &s[0].address, greeting, &err) == 0) {
        verdict_set(&v, VERDICT_GOOD, "%s says: %s", text, greeting);
    } else {
        verdict_set(&v, VERDICT_WRONG, "%.390s", err.text);
        verdict_why(&v, "Many providers of servers close port 25 to the outside until they are asked.");
        verdict_mend(&v,
                     "Ask who runs your network to open outgoing port %u; look at your own firewall (nft "
                     "list ruleset)",
                     to->port);
    }
    doctor_find_as(d, "outgoing", about, &v);
}

/* --connect: an address or a name, with a port or without. */
static void check_named(struct doctor *d) {
    struct net_addr to;
    struct verdict v;
    if (net_addr_parse(slice_of(d->connect), (uint16_t)d->options->deliver.port, &to)) {
        check_host(d, &to, d->connect);
        return;
    }
    struct records_answer *a = ask(d, d->connect, DNS_A);
    if (a && a->count && net_addr_parse(a->values[0], (uint16_t)d->options->deliver.port, &to)) {
        check_host(d, &to, d->connect);
    } else {
        verdict_set(&v, VERDICT_WRONG, "%s: no address was found for it", d->connect);
        verdict_why(&v, "It is what --connect names.");
        verdict_mend(&v, "Name a mail exchanger, or its address");
        doctor_find_as(d, "outgoing", d->connect, &v);
    }
    free(a);
}

/* --try: the first exchanger of the domain. */
static void check_domain_way(struct doctor *d) {
    struct records_answer *mx = ask(d, d->try, DNS_MX), *a = NULL;
    struct verdict v;
    struct net_addr to = {0};
    char host[DNS_NAME_MAX + 1] = "";
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; mx && i < mx->count; i++) {
        struct slice rest = mx->values[i], preference;
        uint64_t n;
        if (!slice_cut(&rest, ' ', &preference) || !slice_to_u64(preference, &n) || n >= best || !rest.len)
            continue;
        best = n;
        snprintf(host, sizeof host, "%.*s", SLICE_ARG(rest));
    }
    if (host[0]) a = ask(d, host, DNS_A);
    if (a && a->count && net_addr_parse(a->values[0], (uint16_t)d->options->deliver.port, &to)) {
        verdict_set(&v, VERDICT_GOOD, "%zu mail exchangers, the first is %s", mx->count, host);
        doctor_find_as(d, "exchangers", d->try, &v);
        check_host(d, &to, host);
    } else {
        verdict_set(&v, VERDICT_WRONG, "%s: %s", d->try,
                    host[0] ? "its mail exchanger has no IPv4 address" : "no mail exchanger was found");
        verdict_why(&v, "It is what --try names: mail to it could not be sent.");
        verdict_mend(&v, "Name a domain that takes mail; if this one does, see the check of the resolver");
        doctor_find_as(d, "exchangers", d->try, &v);
    }
    free(mx);
    free(a);
}

void doctor_port(struct doctor *d) {
    struct verdict v;
    if (d->connect) check_named(d);
    if (d->try) check_domain_way(d);
    if (d->connect || d->try) return;
    verdict_set(&v, VERDICT_UNCHECKED,
                "no receiver is connected to unless named: --try DOMAIN, --connect HOST");
    doctor_find_as(d, "outgoing", "", &v);
}
