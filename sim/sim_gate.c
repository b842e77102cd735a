/* Each gate asks in the order in which a careful server would: what needs no account first. */
#include "sim_gate.h"

enum { SALT_TRAP = 0x74726170, SALT_CONNECT, SALT_REFUSE, SALT_CONTENT };

static const enum sim_reply limit_words[] = {
    [SIM_LIMIT_CONNECTIONS] = SIM_SAY_CONNECTIONS,
    [SIM_LIMIT_CONNECTIONS_PER_MINUTE] = SIM_SAY_CONNECTION_RATE,
    [SIM_LIMIT_MESSAGES] = SIM_SAY_MESSAGES,
    [SIM_LIMIT_RATE] = SIM_SAY_RATE,
    [SIM_LIMIT_DAILY] = SIM_SAY_DAILY,
    [SIM_LIMIT_MAILBOX] = SIM_SAY_MAILBOX,
    [SIM_LIMIT_RECIPIENTS] = SIM_SAY_RECIPIENTS,
    [SIM_LIMIT_SESSION_RECIPIENTS] = SIM_SAY_SESSION_RECIPIENTS,
};
static const struct sim_verdict fine = {SIM_CAUSE_NONE, SIM_SAYS, false};

static struct sim_verdict verdict(enum sim_cause cause, enum sim_reply say) {
    return (struct sim_verdict){cause, say, false};
}

static struct sim_verdict over(enum sim_limit which, const struct sim_limits *l) {
    return (struct sim_verdict){SIM_CAUSE_LIMIT + which, limit_words[which], l->closes[which]};
}

static struct sim_pool *pool(const struct sim_session *s) {
    return &s->world->stats.pool[s->pool];
}

static struct sim_site *site(const struct sim_session *s) {
    return s->site == SIM_NO_SITE ? NULL : &s->world->site[s->site];
}

static const struct sim_limits *limits(const struct sim_session *s) {
    const struct sim_site *have = site(s);
    return sim_limits_now(have ? have->rules : &s->provider->rules, s->world->now);
}

static int64_t quota_day(const struct sim_session *s) {
    return sim_clock_day(s->world->sim_wall, s->provider->rules.limits.daily_resets_s);
}

/* --- Standing */

static bool judges(const struct sim_session *s, enum sim_standing_of whom) {
    uint32_t of = s->provider->reputation.of;
    return sim_reputation_on(&s->provider->reputation) && (of == whom || of == SIM_STANDING_BOTH);
}

static struct sim_standing *client_standing(const struct sim_session *s) {
    uint32_t client = s->client;
    if (s->provider->rules.limits.client == SIM_CLIENT_NET) client &= 0xffffff00;
    size_t at = sim_world_standing(s->world, s->provider, hash_mix(client)); /* may move them all */
    return &s->world->standing[at];
}

static struct sim_standing *from_standing(const struct sim_session *s) {
    struct slice from = {s->envelope.at, s->from_len};
    size_t at = from.len;
    while (at > 0 && from.at[at - 1] != '@')
        at--;
    size_t standing = sim_world_standing(s->world, s->provider, hash_nocase(slice_skip(from, at), 1));
    return &s->world->standing[standing];
}

static struct sim_verdict by_mood(struct sim_session *s, struct sim_standing *standing) {
    const struct sim_reputation *r = &s->provider->reputation;
    switch (sim_standing_mood(standing, r, s->world->now)) {
    case SIM_MOOD_FINE: break;
    case SIM_MOOD_SLOW:
        if (sim_standing_take(standing, r, s->world->now)) break;
        return verdict(SIM_CAUSE_REPUTATION_SLOW, SIM_SAY_RATE);
    case SIM_MOOD_DEFER: return verdict(SIM_CAUSE_REPUTATION_DEFER, SIM_SAY_REPUTATION);
    case SIM_MOOD_BLOCK:
        return verdict(SIM_CAUSE_REPUTATION_BLOCK, r->block_for_good ? SIM_SAY_BLOCKED : SIM_SAY_REPUTATION);
    }
    return fine;
}

static struct sim_verdict standing_at_mail(struct sim_session *s) {
    struct sim_verdict v = fine;
    if (judges(s, SIM_STANDING_CLIENT)) v = by_mood(s, client_standing(s));
    if (!v.cause && s->from_len && judges(s, SIM_STANDING_FROM)) v = by_mood(s, from_standing(s));
    return v;
}

static void note(struct sim_session *s, enum sim_seen what) {
    const struct sim_reputation *r = &s->provider->reputation;
    if (judges(s, SIM_STANDING_CLIENT)) sim_standing_note(client_standing(s), r, what, s->world->now);
    if (s->from_len && judges(s, SIM_STANDING_FROM))
        sim_standing_note(from_standing(s), r, what, s->world->now);
}

/* --- Connections */

static struct sim_verdict account_verdict(struct sim_session *s, struct sim_site *have) {
    const struct sim_limits *l = limits(s);
    sim_us now = s->world->now;
    if (sim_site_knock(have, now)) return verdict(SIM_CAUSE_KNOCKING, SIM_SAY_KNOCKING);
    enum sim_limit which = sim_site_connect(have, now);
    if (which == SIM_LIMITS && l->gate[SIM_LIMIT_RATE] == SIM_GATE_GREETING && !sim_site_has_rate(have, now))
        which = SIM_LIMIT_RATE;
    if (which == SIM_LIMITS && l->gate[SIM_LIMIT_DAILY] == SIM_GATE_GREETING &&
        !sim_site_quota_left(have, now, quota_day(s)))
        which = SIM_LIMIT_DAILY;
    if (which == SIM_LIMITS) return fine;
    if (l->gate[which] == SIM_GATE_GREETING) return over(which, l);
    s->over = which; /* it comes in, and is told later */
    return fine;
}

static struct sim_verdict connect_verdict(struct sim_session *s) {
    const struct sim_provider *p = s->provider;
    uint64_t key = hash_mix(s->world->seed ^ hash_mix(s->number));
    if (sim_chance(p->refuse_connect, key, SALT_REFUSE))
        return verdict(SIM_CAUSE_CHANCE, SIM_SAY_REFUSE_CONNECT);
    if (sim_chance(p->defer_connect, key, SALT_CONNECT)) return verdict(SIM_CAUSE_CHANCE, SIM_SAY_SHUTDOWN);
    if (judges(s, SIM_STANDING_CLIENT) &&
        sim_standing_mood(client_standing(s), &p->reputation, s->world->now) == SIM_MOOD_BLOCK)
        return verdict(SIM_CAUSE_REPUTATION_BLOCK,
                       p->reputation.block_for_good ? SIM_SAY_BLOCKED : SIM_SAY_REPUTATION);
    return p->limited ? account_verdict(s, site(s)) : fine;
}

struct sim_verdict sim_gate_connect(struct sim_session *s) {
    if (s->provider->limited) s->site = sim_world_site(s->world, &s->host, s->client);
    struct sim_pool *p = pool(s);
    struct sim_site *have = site(s);
    struct sim_verdict v = connect_verdict(s);
    p->total.attempts++;
    if (v.cause) {
        p->total.turned_away++;
        if (have && v.cause != SIM_CAUSE_KNOCKING) sim_site_refused(have, s->world->now);
    } else if (s->over == SIM_LIMITS) {
        s->entered = true;
        if (have) have->connections++;
        p->total.passed[SIM_LIMIT_CONNECTIONS_PER_MINUTE]++;
        sim_pool_open(p, s->world->now);
    }
    return v;
}

void sim_gate_away(struct sim_session *s) {
    pool(s)->total.attempts++;
    pool(s)->total.turned_away++;
}

void sim_gate_leave(struct sim_session *s) {
    sim_gate_forget(s);
    if (!s->entered) return;
    s->entered = false;
    struct sim_pool *p = pool(s);
    double messages = limits(s)->most[SIM_LIMIT_MESSAGES];
    sim_pool_close(p, s->world->now);
    if (s->site != SIM_NO_SITE) site(s)->connections--;
    if (messages > 0 && s->messages) {
        p->total.passed[SIM_LIMIT_MESSAGES] += s->messages;
        p->total.permitted[SIM_LIMIT_MESSAGES] += messages;
    }
}

/* --- Messages */

/* Who answers at the greeting counts when the message begins. */
static bool counts_here(const struct sim_limits *l, enum sim_limit which, enum sim_gate gate) {
    return l->gate[which] == gate || (l->gate[which] == SIM_GATE_GREETING && gate == SIM_GATE_MAIL);
}

static bool take_rate(struct sim_session *s) {
    if (s->rate_taken) return true;
    if (!sim_site_take_rate(site(s), s->world->now)) return false;
    s->rate_taken = true;
    pool(s)->total.passed[SIM_LIMIT_RATE]++;
    return true;
}

static bool book(struct sim_session *s) {
    if (s->booked) return true;
    if (!sim_site_book(site(s), s->world->now, quota_day(s))) return false;
    s->booked = true;
    pool(s)->total.passed[SIM_LIMIT_DAILY]++;
    return true;
}

static enum sim_limit exceeded(struct sim_session *s, const struct sim_limits *l, enum sim_gate gate) {
    double messages = l->most[SIM_LIMIT_MESSAGES];
    uint32_t begun = s->messages - (gate > SIM_GATE_MAIL);
    if (s->over != SIM_LIMITS && l->gate[s->over] == gate) return s->over;
    if (messages > 0 && l->gate[SIM_LIMIT_MESSAGES] == gate && begun >= messages) return SIM_LIMIT_MESSAGES;
    if (counts_here(l, SIM_LIMIT_RATE, gate) && !take_rate(s) && l->gate[SIM_LIMIT_RATE] == gate)
        return SIM_LIMIT_RATE;
    if (counts_here(l, SIM_LIMIT_DAILY, gate) && !book(s) && l->gate[SIM_LIMIT_DAILY] == gate)
        return SIM_LIMIT_DAILY;
    return SIM_LIMITS;
}

struct sim_verdict sim_gate_message(struct sim_session *s, enum sim_gate gate) {
    struct sim_verdict v = gate == SIM_GATE_MAIL ? standing_at_mail(s) : fine;
    if (v.cause || !s->provider->limited) return v;
    if (s->voided) return over(SIM_LIMIT_SESSION_RECIPIENTS, limits(s));
    const struct sim_limits *l = limits(s);
    enum sim_limit which = exceeded(s, l, gate);
    if (which == SIM_LIMITS) return fine;
    if (which == s->over && !s->turned_away) {
        s->turned_away = true;
        pool(s)->total.turned_away++;
        sim_site_refused(site(s), s->world->now);
    }
    return over(which, l);
}

/* --- Recipients */

static struct sim_verdict too_many(struct sim_session *s, uint64_t key) {
    const struct sim_limits *l = limits(s);
    const double *most = l->most;
    if (most[SIM_LIMIT_RECIPIENTS] > 0 && s->rcpts >= most[SIM_LIMIT_RECIPIENTS])
        return over(SIM_LIMIT_RECIPIENTS, l);
    if (most[SIM_LIMIT_SESSION_RECIPIENTS] > 0 &&
        s->session_recipients >= most[SIM_LIMIT_SESSION_RECIPIENTS]) {
        s->voided = l->session_voids;
        return over(SIM_LIMIT_SESSION_RECIPIENTS, l);
    }
    struct sim_verdict v = sim_gate_message(s, SIM_GATE_RCPT);
    if (v.cause) return v;
    if (most[SIM_LIMIT_MAILBOX] > 0 && !sim_world_mailbox(s->world, key, most[SIM_LIMIT_MAILBOX]))
        return over(SIM_LIMIT_MAILBOX, l);
    return fine;
}

static struct sim_verdict user_verdict(struct sim_session *s, uint64_t key) {
    const struct sim_provider *p = s->provider;
    enum sim_user user = sim_world_user(s->world, p, key);
    if (user == SIM_USER_UNKNOWN && p->unknown_at == SIM_AT_RCPT) {
        note(s, SIM_SEEN_UNKNOWN);
        return verdict(SIM_CAUSE_UNKNOWN, SIM_SAY_UNKNOWN);
    }
    if (user == SIM_USER_FULL) return verdict(SIM_CAUSE_FULL, SIM_SAY_FULL);
    if (user == SIM_USER_FINE)
        note(s, sim_chance(p->reputation.traps, key, SALT_TRAP) ? SIM_SEEN_TRAP : SIM_SEEN_USER);
    return fine;
}

struct sim_verdict sim_gate_rcpt(struct sim_session *s, uint64_t key) {
    const struct sim_provider *p = s->provider;
    if (p->limited) {
        struct sim_verdict v = too_many(s, key);
        if (v.cause) return v;
    }
    if (p->greylist.share > 0) {
        s->grey_wait =
            sim_world_greylisted(s->world, p, key, s->client, (struct slice){s->envelope.at, s->from_len});
        if (s->grey_wait > 0)
            return verdict(SIM_CAUSE_GREYLIST,
                           p->greylist.names_delay ? SIM_SAY_GREYLISTED_FOR : SIM_SAY_GREYLISTED);
    }
    if (sim_world_defers(s->world, p->defer_rcpt, key, SIM_AT_RCPT))
        return verdict(SIM_CAUSE_CHANCE, SIM_SAY_DEFER_RCPT);
    if (sim_chance(p->refuse_rcpt, key, SALT_REFUSE)) return verdict(SIM_CAUSE_CHANCE, SIM_SAY_REFUSE_RCPT);
    return user_verdict(s, key);
}

struct sim_verdict sim_gate_content(struct sim_session *s) {
    const struct sim_provider *p = s->provider;
    uint64_t key = s->rcpt[0].key;
    const struct sim_limits *l = limits(s);
    if (l->size && s->size > l->size) return verdict(SIM_CAUSE_SIZE, SIM_SAY_SIZE);
    struct sim_verdict v = sim_gate_message(s, SIM_GATE_DOT);
    if (v.cause) return v;
    if (p->unknown_at == SIM_AT_DATA && sim_user_kind(p, key) == SIM_USER_UNKNOWN) {
        note(s, SIM_SEEN_UNKNOWN);
        return verdict(SIM_CAUSE_UNKNOWN, SIM_SAY_UNKNOWN);
    }
    if (sim_chance(p->refuse_content, key, SALT_CONTENT)) return verdict(SIM_CAUSE_CONTENT, SIM_SAY_CONTENT);
    if (sim_chance(p->refuse_data, key, SALT_REFUSE)) return verdict(SIM_CAUSE_CHANCE, SIM_SAY_REFUSE_DATA);
    if (sim_world_defers(s->world, p->defer_data, key, SIM_AT_DATA))
        return verdict(SIM_CAUSE_CHANCE, SIM_SAY_DEFER_DATA);
    return fine;
}

void sim_gate_accepted(struct sim_session *s) {
    const struct sim_provider *p = s->provider;
    pool(s)->total.messages++;
    s->booked = false;
    if (p->greylist.whitelist_after) {
        struct sim_grey_try t = {
            s->rcpt[0].key, s->client, {s->envelope.at, s->from_len}, sim_provider_key(s->world, p)};
        sim_greylist_accepted(&p->greylist, &s->world->memory, &t);
    }
}

void sim_gate_forget(struct sim_session *s) {
    s->rate_taken = false;
    if (!s->booked) return;
    s->booked = false;
    sim_site_unbook(site(s));
    pool(s)->total.passed[SIM_LIMIT_DAILY]--;
}
