/* What the DNS says of senders: HELO, PTR, DKIM, DMARC, SPF. */
#include "verdict.h"

#include <stdio.h>
#include <string.h>

static bool is_address(const char *name) {
    struct net_addr addr;
    return net_addr_parse(slice_of(name), 0, &addr) || name[0] == '[' || dns_name_is_number(name);
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0;
}

void verdict_helo(const char *helo, const char *key, struct verdict *v) {
    const char *wrong = !helo || !*helo             ? "there is none"
                        : is_address(helo)          ? "it is an address, not a name"
                        : !strchr(helo, '.')        ? "it has no dot"
                        : ends_with(helo, ".local") ? "names under .local are known only at home"
                        : ends_with(helo, ".localdomain") || strncmp(helo, "localhost", 9) == 0
                            ? "it is every machine's name for itself"
                            : NULL;
    if (!wrong) {
        verdict_set(v, VERDICT_GOOD, "%s", helo);
        return;
    }
    verdict_set(v, VERDICT_WRONG, "'%s': %s", helo ? helo : "", wrong);
    verdict_why(v, "Many receivers refuse mail when the HELO name is not a full name of the public DNS.");
    verdict_mend(
        v, "In the configuration: %s: out1.example.com (a name of yours that leads to the source's address)",
        key);
}

static void put_values(const struct records_answer *a, struct buf *out) {
    for (size_t i = 0; i < a->count; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", a->values[i].len > 60 ? 60 : (int)a->values[i].len,
                   a->values[i].at);
}

/* "none", "NXDOMAIN", "no answer: time-out", or the values. */
static const char *answer_text(const struct records_answer *a, char *room, size_t size) {
    struct buf text;
    buf_init(&text, size - 1);
    switch (a->status) {
    case RECORDS_FOUND: put_values(a, &text); break;
    case RECORDS_NONE: buf_put_text(&text, "no record"); break;
    case RECORDS_NO_NAME: buf_put_text(&text, "no such name (NXDOMAIN)"); break;
    case RECORDS_TEMPORARY: buf_printf(&text, "no answer now: %s", a->why); break;
    case RECORDS_BOGUS: buf_printf(&text, "DNSSEC says that the answer is forged: %s", a->why); break;
    }
    snprintf(room, size, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    return room;
}

static bool is_silent(const struct records_answer *a, const char *name, struct verdict *v) {
    char room[128];
    if (a && a->status != RECORDS_TEMPORARY && a->status != RECORDS_BOGUS) return false;
    verdict_set(v, VERDICT_UNCHECKED, "%s: %s", name, a ? answer_text(a, room, sizeof room) : "not asked");
    return true;
}

static const char *address_text(const struct net_addr *a, char room[NET_ADDR_TEXT_MAX]) {
    net_addr_format(a, room);
    return room;
}

void verdict_source_address(const struct source_facts *f, struct verdict *v) {
    char room[NET_ADDR_TEXT_MAX];
    if (!f->bindable) {
        verdict_set(v, VERDICT_WRONG, "%s can't be bound: %s", address_text(&f->address, room),
                    strerror(f->error));
        verdict_why(v, "No mail goes out from this source.");
        verdict_mend(
            v, "ip address add %s/%d dev IFACE, or correct it in the configuration (sources, deliver.bind)",
            room, f->address.family == NET_V4 ? 32 : 128);
    } else if (f->used.family == NET_NONE) {
        verdict_set(v, VERDICT_ADVICE,
                    "there is no route to the internet, so the system has no address to choose");
        verdict_why(v, "No mail can leave this machine.");
        verdict_mend(v, "ip route shows the routes");
    } else if (!net_addr_is_public(&f->used)) {
        verdict_set(v, f->private_hosts ? VERDICT_GOOD : VERDICT_ADVICE, "%s%s", address_text(&f->used, room),
                    f->private_hosts ? " (private, as deliver.private_hosts allows)"
                                     : " is no public address: the internet sees another (NAT)");
        if (f->private_hosts) return;
        verdict_why(v, "HELO name, PTR and SPF must be those of the address that the internet sees; it is "
                       "not known here.");
        verdict_mend(v, "Check these by hand for the outer address, or send from a machine that has it");
    } else {
        verdict_set(v, VERDICT_GOOD, "%s%s", address_text(&f->used, room),
                    f->address.family == NET_NONE ? ", as the system chooses" : "");
    }
}

static bool has_address(const struct records_answer *a, const struct net_addr *addr) {
    for (size_t i = 0; i < a->count; i++) {
        struct net_addr one;
        if (net_addr_parse(a->values[i], 0, &one) && memcmp(one.bytes, addr->bytes, sizeof one.bytes) == 0 &&
            one.family == addr->family)
            return true;
    }
    return false;
}

void verdict_source_helo(const struct source_facts *f, struct verdict *v) {
    char room[128], address[NET_ADDR_TEXT_MAX];
    const char *type = f->used.family == NET_V6 ? "AAAA" : "A";
    if (f->used.family == NET_NONE) {
        verdict_set(v, VERDICT_UNCHECKED, "the source's address is not known");
        return;
    }
    address_text(&f->used, address);
    if (is_silent(f->forward, f->helo, v)) return;
    if (has_address(f->forward, &f->used)) {
        verdict_set(v, VERDICT_GOOD, "%s leads to %s", f->helo, address);
        return;
    }
    verdict_set(v, VERDICT_WRONG, "%s %s: %s, not %s", f->helo, type,
                answer_text(f->forward, room, sizeof room), address);
    verdict_why(v, "Receivers look whether the HELO name leads to whom they talk to.");
    verdict_mend(v, "In the zone of %s: %s. IN %s %s", f->helo, f->helo, type, address);
}

void verdict_source_reverse(const struct source_facts *f, struct verdict *v) {
    char room[128], address[NET_ADDR_TEXT_MAX], name[DNS_NAME_MAX + 1];
    if (f->used.family == NET_NONE) {
        verdict_set(v, VERDICT_UNCHECKED, "the source's address is not known");
        return;
    }
    address_text(&f->used, address);
    records_reverse_name(&f->used, name);
    if (is_silent(f->reverse, address, v)) return;
    answer_text(f->reverse, room, sizeof room);
    if (f->confirmed) {
        verdict_set(v, VERDICT_GOOD, "%s leads to %s and back", address, room);
        return;
    }
    if (f->reverse->status == RECORDS_FOUND)
        verdict_set(v, VERDICT_WRONG, "the PTR of %s is %s, which does not lead back to it", address, room);
    else
        verdict_set(v, VERDICT_WRONG, "%s has no PTR record", address);
    verdict_why(v,
                f->used.family == NET_V6
                    ? "Google and others refuse all mail from IPv6 addresses without a PTR that leads back."
                    : "Many receivers refuse or throttle mail from addresses without a PTR that leads back.");
    verdict_mend(v, "Ask who gave you the address for: %s. IN PTR %s.", name,
                 f->helo ? f->helo : "out1.example.com");
}

/* ---- DKIM ---- */

/* The value of a tag ("p") of a tag list (RFC 6376 section 3.2) without blanks; false when it is not there.
 */
static bool tag_value(struct slice record, const char *tag, struct buf *out) {
    struct slice rest = record, item;
    while (slice_cut(&rest, ';', &item)) {
        ptrdiff_t eq = slice_find(item, '=');
        if (eq < 0 || !slice_eq(slice_trim(slice_make(item.at, (size_t)eq)), slice_of(tag))) continue;
        struct slice value = slice_skip(item, (size_t)eq + 1);
        for (size_t i = 0; i < value.len; i++)
            if (value.at[i] != ' ' && value.at[i] != '\t' && value.at[i] != '\r' && value.at[i] != '\n')
                buf_put_c(out, value.at[i]);
        return true;
    }
    return false;
}

enum tag_is { TAG_ABSENT, TAG_SAME, TAG_OTHER, TAG_EMPTY };

static enum tag_is compare_tag(struct slice record, const char *tag, struct slice wanted) {
    struct buf a, b;
    buf_init(&a, 8192);
    buf_init(&b, 8192);
    enum tag_is is = TAG_ABSENT;
    tag_value(wanted, tag, &b);
    if (tag_value(record, tag, &a))
        is = a.len == 0 ? TAG_EMPTY : slice_eq(buf_slice(&a), buf_slice(&b)) ? TAG_SAME : TAG_OTHER;
    buf_done(&a);
    buf_done(&b);
    return is;
}

static bool is_testing(struct slice record) {
    struct buf flags;
    struct slice rest, flag;
    bool is = false;
    buf_init(&flags, 256);
    if (tag_value(record, "t", &flags))
        for (rest = buf_slice(&flags); slice_cut(&rest, ':', &flag);)
            is |= slice_eq(flag, SLICE("y"));
    buf_done(&flags);
    return is;
}

static enum dkim_published judge_record(struct slice record, struct slice wanted) {
    enum tag_is v = compare_tag(record, "v", SLICE("v=DKIM1")), k = compare_tag(record, "k", wanted),
                p = compare_tag(record, "p", wanted);
    bool rsa = slice_find(wanted, 'k') >= 0 && compare_tag(wanted, "k", SLICE("k=rsa")) == TAG_SAME;
    if (p == TAG_EMPTY) return DKIM_PUBLISHED_REVOKED;
    if (v == TAG_OTHER || v == TAG_EMPTY || p == TAG_ABSENT) return DKIM_PUBLISHED_BROKEN;
    if (k == TAG_OTHER || (k == TAG_ABSENT && !rsa) || p != TAG_SAME) return DKIM_PUBLISHED_OTHER;
    return is_testing(record) ? DKIM_PUBLISHED_TEST : DKIM_PUBLISHED;
}

enum dkim_published dkim_published(const struct records_answer *a, struct slice wanted) {
    switch (a->status) {
    case RECORDS_NONE:
    case RECORDS_NO_NAME: return DKIM_PUBLISHED_NOT;
    case RECORDS_TEMPORARY:
    case RECORDS_BOGUS: return DKIM_PUBLISHED_UNKNOWN;
    case RECORDS_FOUND: break;
    }
    return a->count > 1 ? DKIM_PUBLISHED_TWICE : judge_record(a->values[0], wanted);
}

void verdict_dkim(enum dkim_published published, const struct records_answer *answer, const char *name,
                  struct slice wanted, struct verdict *v) {
    static const char *const texts[] = {
        [DKIM_PUBLISHED] = "published, and it is this key",
        [DKIM_PUBLISHED_OTHER] = "another key is published there",
        [DKIM_PUBLISHED_REVOKED] = "the key is revoked there (p= is empty)",
        [DKIM_PUBLISHED_TEST] = "published with t=y, which asks receivers not to rely on it",
        [DKIM_PUBLISHED_BROKEN] = "what is published there is no DKIM record",
        [DKIM_PUBLISHED_TWICE] = "several TXT records are there, of which receivers may take any",
        [DKIM_PUBLISHED_NOT] = "it is not published",
    };
    if (published == DKIM_PUBLISHED_UNKNOWN) {
        is_silent(answer, name, v);
        return;
    }
    verdict_set(v,
                published == DKIM_PUBLISHED        ? VERDICT_GOOD
                : published == DKIM_PUBLISHED_TEST ? VERDICT_ADVICE
                                                   : VERDICT_WRONG,
                "%s: %s", name, texts[published]);
    if (published == DKIM_PUBLISHED) return;
    verdict_why(v, "Receivers can't verify the signatures, so the mail counts as unsigned or forged.");
    verdict_mend(v, "One TXT record at %s: %.*s", name, wanted.len > 480 ? 480 : (int)wanted.len, wanted.at);
}

/* ---- DMARC and SPF ---- */

/* The records that begin so ("v=spf1"), the first in *first. */
static size_t versioned(const struct records_answer *a, struct slice version, struct slice *first) {
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++) {
        struct slice s = a->values[i];
        if (s.len < version.len || !slice_eq_nocase(slice_make(s.at, version.len), version)) continue;
        if (s.len > version.len && s.at[version.len] != ' ' && s.at[version.len] != ';') continue;
        if (n++ == 0) *first = s;
    }
    return n;
}

void verdict_dmarc(const struct records_answer *answer, const char *domain, struct verdict *v) {
    struct slice record = {0};
    size_t n = 0;
    if (is_silent(answer, domain, v)) return;
    if (answer->status == RECORDS_FOUND) n = versioned(answer, SLICE("v=DMARC1"), &record);
    struct buf policy;
    buf_init(&policy, 64);
    if (n == 1 && tag_value(record, "p", &policy)) {
        verdict_set(v, VERDICT_GOOD, "_dmarc.%s: %.*s", domain, record.len > 200 ? 200 : (int)record.len,
                    record.at);
    } else {
        verdict_set(v, n ? VERDICT_WRONG : VERDICT_ADVICE, "_dmarc.%s %s", domain,
                    n > 1 ? "has several DMARC records, so none counts"
                    : n == 1
                        ? "has a record without p="
                        : "has no DMARC record (one of a parent domain would do; that is not looked at)");
        verdict_why(v, "Google, Yahoo and others want DMARC of everybody who sends much.");
        verdict_mend(v, "One TXT record at _dmarc.%s: v=DMARC1; p=none; rua=mailto:postmaster@%s", domain,
                     domain);
    }
    buf_done(&policy);
}

/* Does a mechanism name the address ("ip4:192.0.2.0/24")? */
static bool mechanism_has(struct slice word, const struct net_addr *addr) {
    struct slice prefix = addr->family == NET_V4 ? SLICE("ip4:") : SLICE("ip6:");
    uint64_t bits = addr->family == NET_V4 ? 32 : 128;
    struct net_addr net;
    if (word.len && word.at[0] == '+') word = slice_skip(word, 1);
    if (word.len < prefix.len || !slice_eq_nocase(slice_make(word.at, prefix.len), prefix)) return false;
    word = slice_skip(word, prefix.len);
    ptrdiff_t slash = slice_find(word, '/');
    struct slice text = slash < 0 ? word : slice_make(word.at, (size_t)slash);
    uint64_t most = bits;
    if (slash >= 0 && (!slice_to_u64(slice_skip(word, (size_t)slash + 1), &bits) || bits > most))
        return false;
    if (!net_addr_parse(text, 0, &net) || net.family != addr->family) return false;
    for (uint64_t i = 0; i < bits; i++)
        if (((net.bytes[i / 8] ^ addr->bytes[i / 8]) >> (7 - i % 8)) & 1) return false;
    return true;
}

struct spf_look {
    bool literal;  /* all addresses stand in it */
    bool indirect; /* it leads on to other names */
    bool open;     /* +all */
    bool ended;    /* has an `all` or a redirect */
};

static struct spf_look look_at_spf(struct slice record, const struct net_addr *sources, size_t count) {
    struct spf_look look = {.literal = true};
    for (size_t i = 0; i < count; i++) {
        struct slice rest = record, word;
        bool has = false;
        while (slice_cut(&rest, ' ', &word))
            has |= mechanism_has(word, &sources[i]);
        look.literal &= has;
    }
    struct slice rest = record, word;
    while (slice_cut(&rest, ' ', &word)) {
        look.open |= slice_eq_nocase(word, SLICE("+all")) || slice_eq_nocase(word, SLICE("all"));
        look.ended |= word.len >= 3 && slice_eq_nocase(slice_skip(word, word.len - 3), SLICE("all"));
        struct slice plain = word.len && word.at[0] == '+' ? slice_skip(word, 1) : word;
        static const char *const leads[] = {"include:", "redirect=", "a:",      "a/",
                                            "mx:",      "mx/",       "exists:", "ptr"};
        for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
            size_t n = strlen(leads[i]);
            look.indirect |= plain.len >= n && slice_eq_nocase(slice_make(plain.at, n), slice_of(leads[i]));
        }
        look.indirect |= slice_eq_nocase(plain, SLICE("a")) || slice_eq_nocase(plain, SLICE("mx"));
    }
    return look;
}

static void mend_spf(const struct net_addr *sources, size_t count, const char *domain, struct verdict *v) {
    struct buf text;
    buf_init(&text, 400);
    for (size_t i = 0; i < count && text.len < 300; i++) {
        char room[NET_ADDR_TEXT_MAX];
        buf_printf(&text, " %s:%s", sources[i].family == NET_V4 ? "ip4" : "ip6",
                   address_text(&sources[i], room));
    }
    verdict_why(v, "Receivers look there whether your addresses may send for the domain of the return path.");
    verdict_mend(v, "One TXT record at %s: v=spf1%.*s ... ~all", domain, SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
}

void verdict_spf(const struct records_answer *answer, const char *domain, const struct net_addr *sources,
                 size_t count, struct verdict *v) {
    struct slice record = {0};
    size_t n = 0;
    if (is_silent(answer, domain, v)) return;
    if (answer->status == RECORDS_FOUND) n = versioned(answer, SLICE("v=spf1"), &record);
    int shown = record.len > 200 ? 200 : (int)record.len;
    struct spf_look look = look_at_spf(record, sources, count);
    if (n == 0)
        verdict_set(v, VERDICT_WRONG, "%s has no SPF record", domain);
    else if (n > 1)
        verdict_set(v, VERDICT_WRONG, "%s has %zu SPF records, which counts as an error", domain, n);
    else if (look.open)
        verdict_set(v, VERDICT_WRONG, "%s allows everybody: %.*s", domain, shown, record.at);
    else if (count == 0)
        verdict_set(v, VERDICT_UNCHECKED, "%s: %.*s; no public source address is known to look for in it",
                    domain, shown, record.at);
    else if (look.literal)
        verdict_set(v, VERDICT_GOOD, "%s names the source addresses: %.*s", domain, shown, record.at);
    else if (look.indirect)
        verdict_set(v, VERDICT_UNCHECKED, "%s: %.*s; it leads to other names, which are not followed", domain,
                    shown, record.at);
    else
        verdict_set(v, VERDICT_WRONG, "%s does not name all source addresses: %.*s", domain, shown,
                    record.at);
    if (v->result == VERDICT_WRONG) mend_spf(sources, count, domain, v);
}

enum { SLOW_US = 1000000 };

void verdict_resolver(const struct resolver_facts *f, struct verdict *v) {
    char room[128];
    long long ms = f->took_us / 1000;
    if (f->answer->status == RECORDS_TEMPORARY || f->answer->status == RECORDS_BOGUS) {
        verdict_set(v, VERDICT_WRONG, "%s about %s: %s (%lld ms)", f->servers, f->name,
                    answer_text(f->answer, room, sizeof room), ms);
        verdict_why(v, "Without DNS nobody knows where mail is to go: all of it waits.");
        verdict_mend(
            v, "In the configuration: dns.servers: [127.0.0.1] with a resolver of your own (apt-get install "
               "unbound), or correct /etc/resolv.conf");
    } else if (f->took_us > SLOW_US) {
        verdict_set(v, VERDICT_ADVICE, "%s took %lld ms for an answer about %s", f->servers, ms, f->name);
        verdict_why(v, "Every domain of a campaign is looked up.");
        verdict_mend(
            v, "A resolver of your own on this machine: apt-get install unbound, dns.servers: [127.0.0.1]");
    } else {
        verdict_set(v, VERDICT_GOOD, "%s answered about %s in %lld ms", f->servers, f->name, ms);
    }
}
