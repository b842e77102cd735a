/* Options to parts. The projector starts before anything is committed and stops after everything is. */
#include "instance.h"

#include "log.h"
#include "personal.h"
#include "secret.h"
#include "store_owner.h"
#include "sweep_segments.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const int64_t RETENTION_PACE = 600 * US_PER_SEC;

struct store *instance_store(const struct options *o, bool read_only, struct err *err) {
    struct store_options so = {.map_size = (uint64_t)o->store.map_size,
                               .reserve = (uint64_t)o->store.reserve,
                               .read_only = read_only};
    if (store_owner_become(o, read_only, err)) return NULL;
    return store_open(o->store.path, &so, err);
}

int instance_raise_files(const struct options *o, struct err *err) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)o->deliver.max_sessions + INSTANCE_FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return err_errno(err, errno, "the limit of open files");
    if (limit.rlim_cur >= wanted) return 0;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return 0;
    return err_set(
        err, ERR_INPUT,
        "deliver.max_sessions is %lld, which takes %llu open files, but only %llu are allowed: lower it, or "
        "raise the limit (ulimit -n, LimitNOFILE=)",
        (long long)o->deliver.max_sessions, (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
}

static enum engine_tls tls_of(int mode) {
    static const enum engine_tls modes[] = {[OPTION_TLS_OFF] = ENGINE_TLS_OFF,
                                            [OPTION_TLS_OPPORTUNISTIC] = ENGINE_TLS_OPPORTUNISTIC,
                                            [OPTION_TLS_REQUIRED] = ENGINE_TLS_REQUIRED};
    return modes[mode];
}

static void put_keys(struct dkim_options *to, const struct options *o) {
    const struct option_dkim *k = o->dkim.at;
    for (size_t i = 0; i < o->dkim.count; i++)
        to[i] = (struct dkim_options){k[i].domain, k[i].selector, k[i].key_file,
                                      k[i].from,   k[i].until,    k[i].any_from};
}

int instance_set_dkim(struct instance *in, const struct options *o, struct err *err) {
    struct dkim_options *keys = calloc(o->dkim.count + 1, sizeof *keys);
    if (!keys) return err_set(err, ERR_SYSTEM, "out of memory");
    put_keys(keys, o);
    int failed = engine_set_dkim(in->engine, keys, o->dkim.count, err);
    free(keys);
    return failed;
}

static int fill_proxy(struct proxy_options *to, const struct option_source *s, struct err *err) {
    static const enum proxy_protocol protocols[] = {[OPTION_PROXY_NONE] = PROXY_NONE,
                                                    [OPTION_PROXY_HAPROXY] = PROXY_HAPROXY,
                                                    [OPTION_PROXY_SOCKS5] = PROXY_SOCKS5};
    *to = (struct proxy_options){.protocol = protocols[s->proxy.protocol],
                                 .address = s->proxy.address,
                                 .source = s->address,
                                 .user = s->proxy.user};
    if (!s->proxy.password_file) return 0;
    to->password = secret_read(s->proxy.password_file, SOCKS5_NAME_MAX, err);
    return to->password ? 0 : err_wrap(err, "source %s: proxy.password_file", s->name);
}

static int fill_lists(struct instance *in, const struct options *o, struct err *err) {
    const struct profile *p = o->known;
    const struct option_source *s = o->sources.at;
    in->providers = calloc(o->known_count + 1, sizeof *in->providers);
    in->sources = calloc(o->sources.count + 1, sizeof *in->sources);
    in->dkim = calloc(o->dkim.count + 1, sizeof *in->dkim);
    if (!in->providers || !in->sources || !in->dkim) return err_set(err, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < o->known_count; i++)
        in->providers[i] = (struct provider_options){.name = p[i].name,
                                                     .mx_suffixes = p[i].suffixes,
                                                     .mx_suffix_count = p[i].suffix_count,
                                                     .own = p[i].own,
                                                     .by_site = p[i].by_site,
                                                     .profile = profile_learn(&p[i]),
                                                     .tls = tls_of(o->ways[i].tls),
                                                     .bdat = o->ways[i].bdat};
    put_keys(in->dkim, o);
    for (size_t i = 0; i < o->sources.count; i++) {
        in->sources[i] = (struct source_options){.name = s[i].name,
                                                 .bind = s[i].address.family != NET_NONE,
                                                 .address = s[i].address,
                                                 .helo = s[i].helo};
        if (fill_proxy(&in->sources[i].proxy, &s[i], err)) return -1;
    }
    return 0;
}

static unsigned processors(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int fill_engine_options(struct instance *in, const struct options *o, struct err *err) {
    if (fill_lists(in, o, err)) return -1;
    struct engine_options *e = &in->engine_options;
    *e = (struct engine_options){
        .workers = o->deliver.workers ? (unsigned)o->deliver.workers : processors(),
        .max_sessions = (unsigned)o->deliver.max_sessions,
        .port = (uint16_t)o->deliver.port,
        .dns_server_count = o->dns.servers.count,
        .dns_trust_anchor = o->dns.trust_anchor,
        .tls_ca_file = o->tls.ca_file,
        .private_hosts = o->deliver.private_hosts,
        .default_profile = profile_learn(&o->other),
        .default_tls = tls_of(o->tls.mode),
        .default_bdat = o->deliver.bdat,
        .providers = in->providers,
        .provider_count = o->known_count,
        .sources = in->sources,
        .source_count = o->sources.count,
        .retry = {o->deliver.retry.first, o->deliver.retry.most, o->deliver.retry.factor},
        .message_id_domain = o->identity.message_id_domain,
        .return_path_domain = o->identity.return_path_domain,
        .dkim = in->dkim,
        .dkim_count = o->dkim.count,
        .idle_us = o->deliver.idle,
        .idle_sessions = (unsigned)o->deliver.idle_sessions,
        .connect_us = o->deliver.connect_timeout,
        .timeout_scale = o->deliver.timeout_scale,
        .log_outcomes = o->log.outcomes,
        .suppress_auto = o->suppress.automatic,
        .suppress_after = (unsigned)o->suppress.after,
        .rules = in->rules,
        .personal_folder = in->personal_folder,
    };
    for (size_t i = 0; i < e->dns_server_count; i++)
        e->dns_servers[i] = o->dns.servers.at[i];
    return 0;
}

static void projected(void *engine, uint64_t sequence) {
    engine_projected(engine, sequence);
}

static void say_gap(const struct instance *in) {
    struct history_gap gap = projector_gap(in->projector);
    struct buf text;
    if (!gap.last) return;
    buf_init(&text, 512);
    history_gap_put_text(&gap, &text);
    log_begin(LOG_LEVEL_ERROR, "history-gap");
    log_slice("note", buf_slice(&text));
    log_end();
    buf_done(&text);
}

static struct retention_rules rules_of(const struct options *o) {
    return (struct retention_rules){o->history.keep, (uint64_t)o->history.max_size};
}

void instance_set_retention(struct instance *in, const struct options *o) {
    struct retention_rules rules = rules_of(o);
    retention_set(in->retention, &rules);
}

void instance_say_removed(const struct retention_campaign *c, enum removed_why why) {
    char ended[CLOCK_TEXT_MAX];
    log_begin(LOG_LEVEL_INFO, "history-removed");
    log_number("campaign", c->id);
    log_text("name", c->name);
    log_slice("ended", slice_make(ended, (size_t)clock_rfc3339(c->ended, ended)));
    log_number("recipients", (int64_t)c->recipients);
    log_number("bytes", (int64_t)c->bytes);
    log_text("by", removed_why_name(why));
    log_end();
}

static void on_removed(void *ctx, const struct retention_campaign *c, enum removed_why why) {
    (void)ctx;
    instance_say_removed(c, why);
}

static void on_turned(void *ctx, const struct retention_result *result, const struct err *err) {
    struct instance *in = ctx;
    if (err) log_say(LOG_LEVEL_ERROR, "retention", "error", err->text, NULL);
    if (result->over && !in->over_size)
        log_say(LOG_LEVEL_WARN, "history-over-size", "note",
                "the campaigns under way alone take more than history.max_size", NULL);
    in->over_size = result->over;
    log_flush();
}

static int start(struct instance *in, const struct options *o, struct err *err) {
    struct projector_options po = {o->history.pace, o->history.age, (size_t)o->history.memory};
    in->rules = classify_rules_load(o->replies.rules, err);
    if (!in->rules || personal_folder(o->attachments.folder, &in->personal_folder, err) ||
        fill_engine_options(in, o, err))
        return -1;
    in->store = instance_store(o, false, err);
    if (!in->store) return -1;
    in->projector = projector_open(in->store, &po, err);
    if (!in->projector) return -1;
    say_gap(in);
    in->engine = engine_start(&in->engine_options, in->store, err);
    if (!in->engine) return -1;
    engine_on_commit(in->engine, projector_wake, in->projector);
    if (projector_start(in->projector, projected, in->engine, err)) return -1;
    struct retention_rules rules = rules_of(o);
    struct retention_told told = {on_removed, on_turned, in};
    in->retention = retention_start(in->store, &rules, RETENTION_PACE, &told, err);
    if (!in->retention) return -1;
    struct err swept;
    if (sweep_segments(in->store, &swept) < 0)
        log_say(LOG_LEVEL_WARN, "segment-sweep", "error", swept.text, NULL);
    return 0;
}

int instance_open(struct instance *in, const struct options *o, struct err *err) {
    struct err ignored;
    *in = (struct instance){.options = o, .personal_folder = -1};
    if (start(in, o, err) == 0) return 0;
    instance_close(in, 0, &ignored);
    return -1;
}

void instance_watch(const struct instance *in) {
    struct store_health health;
    store_health(in->store, &health);
    if (health.state != STORE_BROKEN) return;
    log_say(LOG_LEVEL_ERROR, "ledger-broken", "error", health.text, "note",
            "ended at once, to be started again", NULL);
    log_flush();
    _exit(1);
}

int instance_close(struct instance *in, int64_t grace_us, struct err *err) {
    int failed = 0;
    stopwatch_start(&in->stopwatch, in->store);
    retention_stop(in->retention);
    if (in->projector) projector_detach(in->projector);
    if (in->engine) engine_stop(in->engine, grace_us);
    if (in->engine && projector_stop(in->projector, err)) failed = -1;
    projector_free(in->projector);
    stopwatch_stop(&in->stopwatch);
    store_free(in->store);
    classify_rules_free(in->rules);
    if (in->personal_folder >= 0) close(in->personal_folder);
    for (size_t i = 0; in->sources && i < in->options->sources.count; i++)
        secret_free((char *)in->sources[i].proxy.password);
    free(in->providers);
    free(in->sources);
    free(in->dkim);
    *in = (struct instance){0};
    return failed;
}
