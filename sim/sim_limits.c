/* Accounts of clients: buckets, counts and blocks. */
#include "sim_limits.h"

static sim_us at(const struct sim_change *c) {
    return (sim_us)(c->at_s * 1e6);
}

const struct sim_limits *sim_limits_now(const struct sim_rules *rules, sim_us now) {
    for (size_t i = rules->changes; i > 0; i--)
        if (at(&rules->change[i - 1]) <= now) return &rules->change[i - 1].limits;
    return &rules->limits;
}

double sim_limits_over(const struct sim_rules *rules, enum sim_limit which, sim_us from, sim_us to) {
    double sum = 0;
    for (size_t i = 0; i <= rules->changes; i++) {
        const struct sim_limits *limits = i ? &rules->change[i - 1].limits : &rules->limits;
        sim_us begin = i ? at(&rules->change[i - 1]) : from, end = to;
        if (i < rules->changes && at(&rules->change[i]) < to) end = at(&rules->change[i]);
        if (begin < from) begin = from;
        if (begin < end) sum += limits->most[which] * (double)(end - begin) * 1e-6;
    }
    return sum;
}

static double capacity(const struct sim_limits *l) {
    double most = l->burst ? l->burst : l->most[SIM_LIMIT_RATE];
    return most < 1 ? 1 : most; /* a message every ten seconds begins with one */
}

void sim_site_begin(struct sim_site *s, const struct sim_rules *rules, const struct sim_knocking *knocking,
                    size_t pool, sim_us now, int64_t day) {
    const struct sim_limits *l = sim_limits_now(rules, now);
    *s = (struct sim_site){
        .rules = rules, .knocking = knocking, .pool = pool, .since = now, .day = day, .new_day = true};
    s->new_connections = (struct sim_bucket){l->most[SIM_LIMIT_CONNECTIONS_PER_MINUTE], now};
    s->messages = (struct sim_bucket){capacity(l), now};
}

/* A token bucket: `rate` flows in each second, up to `most`. */
static double level(const struct sim_bucket *b, sim_us now, double rate, double most) {
    double tokens = b->tokens + (double)(now - b->at) * 1e-6 * rate;
    if (most < 1) most = 1;
    return tokens > most ? most : tokens;
}

static bool take(struct sim_bucket *b, sim_us now, double rate, double most) {
    b->tokens = level(b, now, rate, most);
    b->at = now;
    if (b->tokens < 1) return false;
    b->tokens -= 1;
    return true;
}

enum sim_limit sim_site_connect(struct sim_site *s, sim_us now) {
    const struct sim_limits *l = sim_limits_now(s->rules, now);
    double most = l->most[SIM_LIMIT_CONNECTIONS], minute = l->most[SIM_LIMIT_CONNECTIONS_PER_MINUTE];
    if (most > 0 && s->connections >= most) return SIM_LIMIT_CONNECTIONS;
    if (minute > 0 && !take(&s->new_connections, now, minute / 60, minute))
        return SIM_LIMIT_CONNECTIONS_PER_MINUTE;
    return SIM_LIMITS;
}

static int64_t window_at(const struct sim_limits *l, sim_us now) {
    sim_us length = (sim_us)(l->window_s * 1e6);
    return now / (length < 1 ? 1 : length);
}

/* By the clock: in each window what its length brings, however early. */
static bool window_has_room(const struct sim_site *s, const struct sim_limits *l, sim_us now) {
    double most = l->most[SIM_LIMIT_RATE] * l->window_s;
    if (s->window != window_at(l, now)) return true;
    return s->in_window + 1 <= (most < 1 ? 1 : most);
}

static bool take_in_window(struct sim_site *s, const struct sim_limits *l, sim_us now) {
    int64_t window = window_at(l, now);
    if (!window_has_room(s, l, now)) return false;
    if (window != s->window) s->in_window = 0;
    s->window = window;
    s->in_window++;
    return true;
}

bool sim_site_take_rate(struct sim_site *s, sim_us now) {
    const struct sim_limits *l = sim_limits_now(s->rules, now);
    double rate = l->most[SIM_LIMIT_RATE];
    if (rate > 0 && l->window_s > 0) return take_in_window(s, l, now);
    return rate <= 0 || take(&s->messages, now, rate, capacity(l));
}

bool sim_site_has_rate(const struct sim_site *s, sim_us now) {
    const struct sim_limits *l = sim_limits_now(s->rules, now);
    double rate = l->most[SIM_LIMIT_RATE];
    if (rate > 0 && l->window_s > 0) return window_has_room(s, l, now);
    return rate <= 0 || level(&s->messages, now, rate, capacity(l)) >= 1;
}

bool sim_site_quota_left(struct sim_site *s, sim_us now, int64_t day) {
    double most = sim_limits_now(s->rules, now)->most[SIM_LIMIT_DAILY];
    if (day != s->day) {
        s->day = day;
        s->today = 0;
        s->new_day = true;
    }
    return most <= 0 || s->today < most;
}

bool sim_site_book(struct sim_site *s, sim_us now, int64_t day) {
    if (!sim_site_quota_left(s, now, day)) return false;
    s->today++;
    return true;
}

void sim_site_unbook(struct sim_site *s) {
    if (s->today) s->today--;
}

bool sim_site_knock(struct sim_site *s, sim_us now) {
    if (now >= s->blocked_until) return false;
    sim_us longest = (sim_us)(s->knocking->longest_s * 1e6);
    s->block += (sim_us)(s->knocking->block_s * 1e6);
    if (s->block > longest) s->block = longest;
    s->blocked_until = now + s->block;
    return true;
}

void sim_site_refused(struct sim_site *s, sim_us now) {
    if (!s->knocking->after) return;
    if (s->refusals == 0 || now - s->refused_at > 60 * US_PER_SEC) {
        s->refusals = 0;
        s->refused_at = now;
    }
    if (++s->refusals < s->knocking->after) return;
    s->refusals = 0;
    s->block = (sim_us)(s->knocking->block_s * 1e6);
    s->blocked_until = now + s->block;
}
