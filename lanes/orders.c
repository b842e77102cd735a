/* Orders: what they name, and how they are kept. */
#include "orders.h"

#include <stdlib.h>

enum { VERSION = 1 };

const char *order_kind_name(enum order_kind kind) {
    static const char *const names[] = {"?", "suspend", "route", "cancel"};
    return names[(unsigned)kind < sizeof names / sizeof names[0] ? kind : 0];
}

/* ---- selectors ---- */

static int check_text(const char *part, struct slice text, struct err *err) {
    if (text.len > ORDER_NAME_MAX)
        return err_set(err, ERR_INPUT, "%s: longer than %d bytes", part, ORDER_NAME_MAX);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f)
            return err_set(err, ERR_INPUT, "%s: no spaces or control characters, please", part);
    return 0;
}

static int check_domain(struct slice domain, struct err *err) {
    struct slice name = slice_starts(domain, SLICE("*.")) ? slice_skip(domain, 2) : domain;
    bool good = domain.len == 0 || (name.len > 0 && name.len <= 253);
    for (size_t i = 0; i < name.len && good; i++)
        good = name.at[i] != '*' && name.at[i] != '@' &&
               !(name.at[i] == '.' && (i == 0 || i + 1 == name.len || name.at[i - 1] == '.'));
    if (good) return 0;
    return err_set(err, ERR_INPUT, "domain '%.*s': expected example.org, or *.example.org for those below it",
                   domain.len > 80 ? 80 : (int)domain.len, domain.at);
}

static struct slice lowered(struct slice text, struct buf *texts) {
    size_t at = texts->len;
    for (size_t i = 0; i < text.len; i++)
        buf_put_c(texts, ascii_lower(text.at[i]));
    return texts->failed || !text.len ? (struct slice){0} : slice_make(texts->at + at, texts->len - at);
}

int selector_check(struct selector *of, struct buf *texts, struct err *err) {
    if (!of->campaign && !of->by_tenant && !of->provider.len && !of->domain.len && !of->source.len &&
        !of->identity.len)
        return err_set(err, ERR_INPUT,
                       "of which mail? Name a campaign, provider, domain, source, identity or tenant");
    if (check_text("provider", of->provider, err) || check_text("domain", of->domain, err) ||
        check_text("source", of->source, err) || check_text("identity", of->identity, err) ||
        check_domain(of->domain, err))
        return -1;
    /* The buffer does not move while it is filled. */
    if (!buf_room(texts, of->provider.len + of->domain.len + of->identity.len + 1))
        return err_set(err, ERR_SYSTEM, "out of memory");
    of->provider = lowered(of->provider, texts);
    of->domain = lowered(of->domain, texts);
    of->identity = lowered(of->identity, texts);
    return 0;
}

bool selector_same(const struct selector *a, const struct selector *b) {
    return a->campaign == b->campaign && a->by_tenant == b->by_tenant && a->tenant == b->tenant &&
           slice_eq(a->provider, b->provider) && slice_eq(a->domain, b->domain) &&
           slice_eq(a->source, b->source) && slice_eq(a->identity, b->identity);
}

bool selector_is_whole(const struct selector *of) {
    return !of->provider.len && !of->domain.len && !of->source.len;
}

bool selector_is_campaign(const struct selector *of) {
    return of->campaign && selector_is_whole(of) && !of->by_tenant && !of->identity.len;
}

void selector_say(const struct selector *of, struct buf *out) {
    const char *between = "";
    if (of->campaign) buf_printf(out, "campaign %u", of->campaign), between = ", ";
    const struct {
        const char *name;
        struct slice text;
    } parts[] = {{"provider", of->provider},
                 {"domain", of->domain},
                 {"source", of->source},
                 {"identity", of->identity}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!parts[i].text.len) continue;
        buf_printf(out, "%s%s %.*s", between, parts[i].name, SLICE_ARG(parts[i].text));
        between = ", ";
    }
    if (of->by_tenant) buf_printf(out, "%stenant %u", between, of->tenant);
}

static bool fits_domain(struct slice pattern, struct slice domain) {
    if (!slice_starts(pattern, SLICE("*."))) return slice_eq(pattern, domain);
    struct slice tail = slice_skip(pattern, 1);
    return domain.len > tail.len && slice_eq(slice_skip(domain, domain.len - tail.len), tail);
}

static bool fits_identity(struct slice wanted, struct slice from) {
    if (slice_eq_nocase(wanted, from)) return true;
    return from.len > wanted.len + 1 && from.at[from.len - wanted.len - 1] == '@' &&
           slice_eq_nocase(wanted, slice_skip(from, from.len - wanted.len));
}

bool selector_has_campaign(const struct selector *of, uint32_t campaign, uint32_t tenant,
                           struct slice identity) {
    return (!of->campaign || of->campaign == campaign) && (!of->by_tenant || of->tenant == tenant) &&
           (!of->identity.len || fits_identity(of->identity, identity));
}

enum selector_fit selector_fits(const struct selector *of, const struct subject *s) {
    if (!selector_has_campaign(of, s->campaign, s->tenant, s->identity)) return FIT_NOT;
    if (of->domain.len && !fits_domain(of->domain, s->domain)) return FIT_NOT;
    if (of->source.len && !slice_eq(of->source, s->source)) return FIT_NOT;
    if (!of->provider.len || slice_eq_nocase(of->provider, s->provider)) return FIT_YES;
    return s->provider.len ? FIT_NOT : FIT_MAYBE;
}

enum selector_fit order_fits(const struct order *o, const struct subject *s) {
    if (o->kind == ORDER_CANCEL) {
        if (s->campaign > o->newest) return FIT_NOT;
        for (unsigned i = 0; i < o->spared_count; i++)
            if (o->spared[i] == s->campaign) return FIT_NOT;
    }
    return selector_fits(&o->of, s);
}

/* ---- rows ---- */

bool order_encode(struct buf *out, const struct order *o) {
    buf_put_u8(out, VERSION);
    buf_put_u8(out, (uint8_t)o->kind);
    buf_put_varint(out, o->of.campaign);
    buf_put_u8(out, o->of.by_tenant);
    buf_put_varint(out, o->of.tenant);
    buf_put_bytes(out, o->of.provider);
    buf_put_bytes(out, o->of.domain);
    buf_put_bytes(out, o->of.source);
    buf_put_bytes(out, o->of.identity);
    buf_put_bytes(out, o->to);
    buf_put_bytes(out, o->by);
    buf_put_bytes(out, o->reason);
    buf_put_u64le(out, (uint64_t)o->at);
    buf_put_u64le(out, (uint64_t)o->until);
    buf_put_varint(out, o->newest);
    buf_put_varint(out, o->spared_count);
    for (unsigned i = 0; i < o->spared_count; i++)
        buf_put_varint(out, o->spared[i]);
    return !out->failed;
}

static bool take_number(struct slice *rest, uint32_t *v) {
    uint64_t wide;
    return take_varint(rest, &wide) && wide <= UINT32_MAX && (*v = (uint32_t)wide, true);
}

static bool take_spared(struct slice *rest, struct order *o) {
    uint32_t n;
    if (!take_number(rest, &n) || n > ORDER_SPARED) return false;
    for (o->spared_count = 0; o->spared_count < n; o->spared_count++)
        if (!take_number(rest, &o->spared[o->spared_count])) return false;
    return true;
}

static bool take_name(struct slice *rest, struct slice *name, size_t most) {
    return take_bytes(rest, name) && name->len <= most;
}

static bool take_selector(struct slice *rest, struct selector *of) {
    uint8_t by_tenant;
    if (!take_number(rest, &of->campaign) || !take_u8(rest, &by_tenant) || by_tenant > 1 ||
        !take_number(rest, &of->tenant))
        return false;
    of->by_tenant = by_tenant;
    return take_name(rest, &of->provider, ORDER_NAME_MAX) && take_name(rest, &of->domain, ORDER_NAME_MAX) &&
           take_name(rest, &of->source, ORDER_NAME_MAX) && take_name(rest, &of->identity, ORDER_NAME_MAX);
}

int order_decode(struct slice bytes, uint64_t number, struct order *o, struct err *err) {
    uint8_t version, kind;
    uint64_t at, until;
    struct slice rest = bytes;
    *o = (struct order){.number = number};
    if (take_u8(&rest, &version) && version == VERSION && take_u8(&rest, &kind) && kind >= ORDER_SUSPEND &&
        kind <= ORDER_CANCEL && take_selector(&rest, &o->of) && take_name(&rest, &o->to, ORDER_NAME_MAX) &&
        take_name(&rest, &o->by, ORDER_NAME_MAX) && take_name(&rest, &o->reason, ORDER_TEXT_MAX) &&
        take_u64le(&rest, &at) && take_u64le(&rest, &until) && at <= INT64_MAX && until <= INT64_MAX &&
        take_number(&rest, &o->newest) && take_spared(&rest, o) && rest.len == 0) {
        o->kind = (enum order_kind)kind;
        o->at = (wall_us)at;
        o->until = (wall_us)until;
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "order %llu cannot be read", (unsigned long long)number);
}

/* ---- the set ---- */

void orders_done(struct orders *all) {
    for (size_t i = 0; i < all->count; i++)
        free(all->at[i]);
    free(all->at);
    *all = (struct orders){0};
}

static void count(struct orders *all, const struct order *o, bool in) {
    size_t change = in ? 1 : (size_t)-1;
    if (o->of.identity.len) all->identities += change;
    if (o->kind == ORDER_ROUTE) all->routes += change;
}

/* One block: the order, and behind it its texts. */
static struct order *copy_of(const struct order *o) {
    const struct slice *texts[] = {&o->of.provider, &o->of.domain, &o->of.source, &o->of.identity,
                                   &o->to,          &o->by,        &o->reason};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bytes += texts[i]->len;
    struct order *copy = malloc(sizeof *copy + bytes);
    if (!copy) return NULL;
    *copy = *o;
    struct slice *own[] = {&copy->of.provider, &copy->of.domain, &copy->of.source, &copy->of.identity,
                           &copy->to,          &copy->by,        &copy->reason};
    char *at = (char *)(copy + 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i]->len) memcpy(at, texts[i]->at, texts[i]->len);
        own[i]->at = at;
        at += texts[i]->len;
    }
    return copy;
}

struct order *orders_add(struct orders *all, const struct order *o) {
    if (all->count >= ORDERS_MOST) return NULL;
    struct order **at = realloc(all->at, (all->count + 1) * sizeof(struct order *));
    if (!at) return NULL;
    all->at = at;
    struct order *copy = copy_of(o);
    if (!copy) return NULL;
    at[all->count++] = copy;
    count(all, copy, true);
    return copy;
}

void orders_drop(struct orders *all, uint64_t number) {
    for (size_t i = 0; i < all->count; i++) {
        struct order *o = all->at[i];
        if (o->number != number) continue;
        count(all, o, false);
        free(o);
        all->count--;
        memmove(&all->at[i], &all->at[i + 1], (all->count - i) * sizeof(struct order *));
        return;
    }
}

struct order *orders_find(const struct orders *all, uint64_t number) {
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i]->number == number) return all->at[i];
    return NULL;
}

const struct order *orders_stop(const struct orders *all, const struct subject *s) {
    const struct order *found = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct order *o = all->at[i];
        if (o->kind == ORDER_ROUTE || (found && o->kind == ORDER_SUSPEND) || order_fits(o, s) != FIT_YES)
            continue;
        if (o->kind == ORDER_CANCEL) return o;
        found = o;
    }
    return found;
}

const struct order *orders_route(const struct orders *all, const struct subject *s) {
    for (size_t i = all->routes ? all->count : 0; i > 0; i--)
        if (all->at[i - 1]->kind == ORDER_ROUTE && order_fits(all->at[i - 1], s) == FIT_YES)
            return all->at[i - 1];
    return NULL;
}

wall_us orders_next_end(const struct orders *all) {
    wall_us next = NEVER;
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i]->until && all->at[i]->until < next) next = all->at[i]->until;
    return next;
}
