/* The made-up world: servers are threads that block, one for each connection, and follow their host's rules.
 */
#include "test_world.h"

#include "content.h"
#include "load.h"
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* ---- SMTP ---- */

struct peer {
    struct host *host;
    struct world *world;
    int fd;
    struct tls_server_ctx *tls_ctx;
    struct tls *tls; /* NULL: in clear */
    char in[4096];
    size_t have;
    char to[64], message_id[96];
    char rcpts[RCPTS_MAX][64]; /* taken, of this transaction */
    unsigned rcpt_count;
    bool no_mail; /* it was refused */
    unsigned mails;
};

static void say(struct peer *p, const char *text) {
    size_t put;
    if (p->tls)
        tls_write(p->tls, text, strlen(text), &put);
    else
        send(p->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Waits for bytes and takes them; 0 at the end of the stream. */
static size_t hear(struct peer *p, char *into, size_t room) {
    size_t heard = 0;
    if (!p->tls) {
        ssize_t got = recv(p->fd, into, room, 0);
        if (got < 0 && errno == EAGAIN) say(p, "421 4.4.2 idle for too long\r\n");
        return got > 0 ? (size_t)got : 0;
    }
    while (tls_read(p->tls, into, room, &heard) == TLS_WANT_READ && !heard)
        poll(&(struct pollfd){.fd = p->fd, .events = POLLIN}, 1, -1);
    return heard;
}

static bool start_tls(struct peer *p) {
    struct tls_info info;
    enum tls_result r = TLS_FAILED;
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    p->tls_ctx = tls_server_open(p->host->certificate, p->host->key, NULL);
    p->tls = p->tls_ctx ? tls_accept(p->tls_ctx, p->fd, NULL) : NULL;
    while (p->tls && (r = tls_handshake(p->tls, &info)) == TLS_WANT_READ)
        poll(&(struct pollfd){.fd = p->fd, .events = POLLIN}, 1, -1);
    return r == TLS_OK;
}

/* The next line without its end; false at the end of the stream. */
static bool next_line(struct peer *p, char line[1024]) {
    for (;;) {
        char *end = memchr(p->in, '\n', p->have);
        if (end) {
            size_t n = (size_t)(end - p->in), text = n && end[-1] == '\r' ? n - 1 : n;
            if (text > 1023) text = 1023;
            memcpy(line, p->in, text);
            line[text] = 0;
            p->have -= n + 1;
            memmove(p->in, end + 1, p->have);
            return true;
        }
        size_t got = hear(p, p->in + p->have, sizeof p->in - p->have);
        if (got == 0) return false;
        p->have += got;
    }
}

static void pass_over(struct peer *p, size_t n) {
    for (size_t some; n; n -= some) {
        if (p->have == 0) p->have = hear(p, p->in, sizeof p->in);
        some = n < p->have ? n : p->have;
        if (some == 0) return;
        memmove(p->in, p->in + some, p->have -= some);
    }
}

/* Was this recipient here before? */
static bool seen_before(struct world *w, const char *to) {
    bool before = false;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->seen_count; i++)
        before |= strcmp(w->seen[i], to) == 0;
    if (!before) {
        w->seen_at[w->seen_count] = clock_mono();
        snprintf(w->seen[w->seen_count++], sizeof w->seen[0], "%s", to);
    }
    pthread_mutex_unlock(&w->lock);
    return before;
}

static const char *answer_rcpt(struct peer *p, const char *line) {
    sscanf(line, "RCPT TO:<%63[^>]", p->to);
    pthread_mutex_lock(&p->world->lock);
    p->world->asked_count++;
    bool full = p->world->mailboxes_full;
    pthread_mutex_unlock(&p->world->lock);
    if (strncmp(p->to, "unknown", 7) == 0) return "550 5.1.1 no such user\r\n";
    if (full && strncmp(p->to, "full", 4) == 0) return "552 5.2.2 mailbox full\r\n";
    if (strncmp(p->to, "over", 4) == 0) return "452 4.2.2 mailbox over quota\r\n";
    if (strncmp(p->to, "later", 5) == 0 && !seen_before(p->world, p->to)) return "451 4.3.0 try later\r\n";
    if (strncmp(p->to, "grey", 4) == 0 && !seen_before(p->world, p->to)) return "450 4.7.1 greylisted\r\n";
    return "250 2.1.5 ok\r\n";
}

static void say_rcpt(struct peer *p, const char *line) {
    if (p->no_mail) {
        say(p, "503 5.5.1 no MAIL\r\n");
        return;
    }
    bool full = p->rcpt_count == RCPTS_MAX || (p->host->rcpt_max && p->rcpt_count >= p->host->rcpt_max);
    const char *answer = full ? "452 4.5.3 too many recipients\r\n" : answer_rcpt(p, line);
    say(p, answer);
    if (answer[0] == '2') memcpy(p->rcpts[p->rcpt_count++], p->to, sizeof p->to);
}

static bool drops(struct peer *p, enum drop when) {
    pthread_mutex_lock(&p->world->lock);
    bool now = p->host->drop == when && p->host->drops > 0;
    if (now) p->host->drops--;
    pthread_mutex_unlock(&p->world->lock);
    return now;
}

static void note_mail(struct peer *p, bool told) {
    struct world *w = p->world;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < p->rcpt_count; i++) {
        assert_true(w->taken_count < TAKEN_MAX);
        struct taken *t = &w->taken[w->taken_count++];
        memcpy(t->to, p->rcpts[i], sizeof t->to);
        memcpy(t->message_id, p->message_id, sizeof t->message_id);
        t->told = told;
        t->host = p->host->number;
        t->at = clock_mono();
    }
    p->host->transactions++;
    if (++p->mails > p->host->mails_top) p->host->mails_top = p->mails;
    pthread_mutex_unlock(&w->lock);
}

/* False: the connection is to be cut. */
static bool take_content(struct peer *p) {
    char line[1024];
    if (drops(p, DROP_AT_DATA)) return false;
    say(p, "354 go\r\n");
    do {
        if (!next_line(p, line)) return false;
        sscanf(line, "Message-ID: <%95[^>]", p->message_id);
    } while (strcmp(line, ".") != 0);
    if (p->host->slow_ms) usleep(p->host->slow_ms * 1000);
    bool told = !drops(p, DROP_AFTER_DOT);
    note_mail(p, told);
    if (told) say(p, "250 2.0.0 taken\r\n");
    return told;
}

/* One mail more this second? */
static bool too_fast(struct peer *p) {
    struct host *h = p->host;
    if (h->per_second == 0) return false;
    mono_us now = clock_mono();
    pthread_mutex_lock(&p->world->lock);
    double most = h->per_second;
    h->tokens += h->filled ? (double)(now - h->filled) / (double)US_PER_SEC * most : most;
    h->tokens = h->tokens > most ? most : h->tokens;
    h->filled = now;
    bool fast = h->tokens < 1;
    if (!fast) h->tokens -= 1;
    h->turned_away += fast;
    pthread_mutex_unlock(&p->world->lock);
    return fast;
}

static bool has_enough(struct peer *p) {
    struct host *h = p->host;
    pthread_mutex_lock(&p->world->lock);
    bool enough = h->takes && h->transactions >= h->takes;
    h->turned_away += enough;
    pthread_mutex_unlock(&p->world->lock);
    return enough;
}

static bool is_away(struct peer *p) {
    pthread_mutex_lock(&p->world->lock);
    bool away = p->host->away;
    pthread_mutex_unlock(&p->world->lock);
    return away;
}

static bool stalls(struct peer *p) {
    unsigned after = p->host->stalls_after;
    if (after == 0 || p->mails < after) return false;
    pthread_mutex_lock(&p->world->lock);
    bool first = p->host->stalls_after == after;
    p->host->stalls_after = 0;
    pthread_mutex_unlock(&p->world->lock);
    char line[1024];
    while (first && next_line(p, line))
        ;
    return first;
}

static bool answer_mail(struct peer *p) {
    if (stalls(p)) return false;
    if (p->host->session_mails && p->mails >= p->host->session_mails) {
        __atomic_add_fetch(&p->host->turned_away, 1, __ATOMIC_RELAXED);
        say(p, "421 4.7.0 enough for one session\r\n");
        return false;
    }
    p->rcpt_count = 0;
    bool enough = has_enough(p);
    p->no_mail = enough || too_fast(p);
    say(p, enough       ? "451 4.7.1 deferred due to excessive volume: wait 3 seconds\r\n"
           : p->no_mail ? "451 4.7.1 slow down\r\n"
                        : "250 2.1.0 ok\r\n");
    return true;
}

static bool answer_line(struct peer *p, const char *line) {
    if (is_away(p)) return false;
    if (strncmp(line, "EHLO", 4) == 0 && p->host->says_limits) {
        char limits[64];
        snprintf(limits, sizeof limits, "250-m\r\n250-LIMITS RCPTMAX=%u\r\n250 PIPELINING\r\n",
                 p->host->rcpt_max);
        say(p, limits);
    } else if (strncmp(line, "EHLO", 4) == 0 && p->host->bdat_unknown)
        say(p, "250-m\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
    else if (strncmp(line, "BDAT", 4) == 0) {
        pass_over(p, strtoul(line + 5, NULL, 10));
        say(p, "502 5.5.1 unknown command\r\n");
    } else if (strncmp(line, "EHLO", 4) == 0)
        say(p, p->host->starttls ? "250-m\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
                                 : "250-m\r\n250 PIPELINING\r\n");
    else if (strcmp(line, "STARTTLS") == 0) {
        say(p, "220 go\r\n");
        if (p->host->certificate.len) return start_tls(p);
        if (recv(p->fd, p->in, sizeof p->in, 0) > 0) say(p, "what is this?\r\n");
        return false;
    } else if (strncmp(line, "MAIL", 4) == 0)
        return answer_mail(p);
    else if (strncmp(line, "RCPT", 4) == 0)
        say_rcpt(p, line);
    else if (strcmp(line, "DATA") == 0 && p->rcpt_count)
        return take_content(p);
    else if (strcmp(line, "DATA") == 0)
        say(p, "503 5.5.1 nobody to send it to\r\n");
    else if (strcmp(line, "QUIT") == 0) {
        say(p, "221 2.0.0 bye\r\n");
        return false;
    } else
        say(p, "250 2.0.0 ok\r\n");
    return true;
}

static void *peer_run(void *ctx) {
    struct peer *p = ctx;
    struct host *h = p->host;
    char line[1024];
    pthread_mutex_lock(&p->world->lock);
    h->opened++;
    if (++h->sessions > h->sessions_top) h->sessions_top = h->sessions;
    bool many = h->most_sessions && h->sessions > h->most_sessions, again = h->opened > 1;
    h->refused += many;
    pthread_mutex_unlock(&p->world->lock);
    if (again) usleep(h->greet_ms * 1000);
    if (h->unwelcome)
        say(p, "421 4.3.2 not now\r\n");
    else if (many)
        say(p, "421 4.7.0 too many sessions\r\n");
    else if (!drops(p, DROP_AT_GREETING)) {
        say(p, "220 m ESMTP\r\n");
        while (next_line(p, line) && answer_line(p, line))
            ;
    }
    pthread_mutex_lock(&p->world->lock);
    h->sessions--;
    pthread_mutex_unlock(&p->world->lock);
    tls_free(p->tls);
    tls_server_close(p->tls_ctx);
    fcntl(p->fd, F_SETFL, 0);
    /* Read what still comes, so that the end is an end and no reset that swallows the last reply. */
    setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof(struct timeval));
    shutdown(p->fd, SHUT_WR);
    while (recv(p->fd, p->in, sizeof p->in, 0) > 0)
        ;
    close(p->fd);
    free(p);
    return NULL;
}

static void *host_run(void *ctx) {
    struct host *h = ctx;
    struct world *w = h->world;
    for (;;) {
        int fd = accept(h->listener, NULL, NULL);
        pthread_mutex_lock(&w->lock);
        bool closing = h->closing;
        pthread_mutex_unlock(&w->lock);
        if (closing || fd < 0) {
            if (fd >= 0) close(fd);
            return NULL;
        }
        struct peer *p = calloc(1, sizeof *p);
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct timeval idle = {h->idle_ms / 1000, (suseconds_t)(h->idle_ms % 1000) * 1000};
        if (h->idle_ms) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
        p->host = h, p->world = w, p->fd = fd;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, peer_run, p), 0);
        pthread_mutex_lock(&w->lock);
        bool room = w->peer_count < PEERS_MAX;
        if (room) w->peers[w->peer_count++] = thread;
        pthread_mutex_unlock(&w->lock);
        if (!room) pthread_join(thread, NULL);
    }
}

static struct sockaddr_in address_of(unsigned number, unsigned port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(0x7f000700u | number);
    return a;
}

struct host *world_host(struct world *w, unsigned number) {
    for (unsigned i = 0; i < HOSTS_MAX; i++)
        if (!w->hosts[i].number) {
            w->hosts[i] = (struct host){.number = number, .listener = -1, .world = w};
            return &w->hosts[i];
        }
    fail_msg("too many hosts");
    return NULL;
}

void host_open(struct host *h) {
    struct sockaddr_in a = address_of(h->number, h->world->options.port);
    socklen_t len = sizeof a;
    int on = 1;
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(h->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(h->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(h->listener, 64), 0);
    getsockname(h->listener, (struct sockaddr *)&a, &len);
    h->world->options.port = ntohs(a.sin_port);
    h->closing = false;
    assert_int_equal(pthread_create(&h->thread, NULL, host_run, h), 0);
}

void host_close(struct host *h) {
    if (h->listener < 0) return;
    pthread_mutex_lock(&h->world->lock);
    h->closing = true;
    pthread_mutex_unlock(&h->world->lock);
    shutdown(h->listener, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->listener);
    h->listener = -1;
}

/* ---- the disk ---- */

static atomic_bool disk_full;

/* In front of the C library's, for the store. */
int fdatasync(int fd) {
    if (!atomic_load(&disk_full)) return (int)syscall(SYS_fdatasync, fd);
    errno = ENOSPC;
    return -1;
}

void world_disk(bool full) {
    atomic_store(&disk_full, full);
}

/* ---- the engine ---- */

struct learn_profile world_profile(struct world_ceilings most) {
    return (struct learn_profile){.connections = {.start = 4, .ceiling = most.connections},
                                  .rate = {.start = 2000, .ceiling = most.messages_per_second},
                                  .per_connection = {.ceiling = most.messages_per_connection},
                                  .new_connections = {.ceiling = most.connections_per_minute}};
}

void world_init(struct world *w) {
    memset(w, 0, sizeof *w);
    struct err err = {0};
    struct sockaddr_in a = address_of(1, 0);
    socklen_t len = sizeof a;
    w->dir = test_dir_make();
    w->store = store_open(in_dir(&w->dir, "s"), &(struct store_options){.reserve = 1 << 20}, &err);
    if (!w->store) fail_msg("%s", err.text);
    pthread_mutex_init(&w->lock, NULL);
    w->dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(w->dns, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(w->dns, (struct sockaddr *)&a, &len);
    assert_int_equal(pthread_create(&w->dns_thread, NULL, world_dns_run, w), 0);
    w->source = (struct source_options){.name = "s", .helo = "me.test"};
    w->rules = classify_rules_load(NULL, &err);
    assert_non_null(w->rules);
    w->options =
        (struct engine_options){.rules = w->rules,
                                .personal_folder = -1,
                                .workers = 2,
                                .max_sessions = 64,
                                .dns_server_count = 1,
                                .private_hosts = true,
                                .default_profile = world_profile((struct world_ceilings){.connections = 4}),
                                .sources = &w->source,
                                .source_count = 1,
                                .retry = {300 * US_PER_MS, US_PER_SEC, 2},
                                .idle_us = 200 * US_PER_MS,
                                .idle_sessions = 100,
                                .connect_us = 2 * US_PER_SEC,
                                .timeout_scale = 0.01,
                                .suppress_auto = true,
                                .suppress_after = 3};
    net_addr_from_sockaddr((struct sockaddr *)&a, &w->options.dns_servers[0]);
}

void world_done(struct world *w) {
    char byte = 0;
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    for (unsigned i = 0; i < HOSTS_MAX; i++)
        if (w->hosts[i].number) host_close(&w->hosts[i]);
    for (unsigned i = 0; i < w->peer_count; i++)
        pthread_join(w->peers[i], NULL);
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_mutex_unlock(&w->lock);
    getsockname(w->dns, (struct sockaddr *)&a, &len);
    sendto(w->dns, &byte, 1, 0, (struct sockaddr *)&a, len);
    pthread_join(w->dns_thread, NULL);
    close(w->dns);
    store_free(w->store);
    classify_rules_free(w->rules);
    pthread_mutex_destroy(&w->lock);
    test_dir_remove(&w->dir);
}

void world_dns(struct world *w, bool broken, bool silent) {
    pthread_mutex_lock(&w->lock);
    w->dns_broken = broken;
    w->dns_silent = silent;
    pthread_mutex_unlock(&w->lock);
}

void world_wander(struct world *w, unsigned host) {
    pthread_mutex_lock(&w->lock);
    w->wanders_to = host;
    pthread_mutex_unlock(&w->lock);
}

void world_engine(struct world *w) {
    struct err err = {0};
    w->engine = engine_start(&w->options, w->store, &err);
    if (!w->engine) fail_msg("%s", err.text);
}

void world_engine_stop(struct world *w, int64_t grace_us) {
    engine_stop(w->engine, grace_us);
    w->engine = NULL;
}

static void encode_content(const struct world *w, struct buf *out) {
    struct content content = {.from = SLICE("news@sender.test"),
                              .reply_to = SLICE("{{agent}}"),
                              .subject = SLICE("hello {{agent}}"),
                              .text = SLICE("Dear {{email}}, hello.\n")};
    struct content shared = {
        .from = content.from, .subject = SLICE("hello"), .text = SLICE("hello all"), .shared = true};
    buf_init(out, CONTENT_MAX);
    content_encode(w->shared ? &shared : &content, out);
}

static uint32_t start_campaign(struct world *w, int fd, bool hold_uncertain, int64_t lasts_us) {
    static unsigned campaigns;
    struct err err = {0};
    char name[32];
    struct buf payload;
    struct load_counts n;
    struct load *load = load_open(&(struct load_options){.store = w->store, .fd = fd}, &err);
    if (!load) fail_msg("%s", err.text);
    snprintf(name, sizeof name, "campaign %u", ++campaigns);
    encode_content(w, &payload);
    struct campaign_row row = {.name = slice_of(name),
                               .expires = clock_wall() + lasts_us,
                               .hold_uncertain = hold_uncertain,
                               .columns = load_columns_text(load)};
    if (engine_campaign_begin(w->engine, &row, buf_slice(&payload), &err)) fail_msg("%s", err.text);
    if (load_run(load, row.id, row.hash_seed, &n, &err)) fail_msg("%s", err.text);
    struct tally tally = load_tally(&n);
    if (engine_campaign_ready(w->engine, row.id, n.chunks, &tally, false, &err)) fail_msg("%s", err.text);
    load_free(load);
    buf_done(&payload);
    close(fd);
    return row.id;
}

uint32_t world_campaign(struct world *w, const char *rows, bool hold_uncertain, int64_t lasts_us) {
    const char *path = in_dir(&w->dir, "list.csv");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "email,agent\n", 12), 12);
    assert_int_equal(write(fd, rows, strlen(rows)), strlen(rows));
    lseek(fd, 0, SEEK_SET);
    return start_campaign(w, fd, hold_uncertain, lasts_us);
}

uint32_t world_many(struct world *w, const char *name, const char *domain, unsigned count) {
    struct buf rows;
    buf_init(&rows, 1 << 20);
    for (unsigned i = 0; i < count; i++) {
        char line[128];
        int n = snprintf(line, sizeof line, "%s%u@%s,a@sender.test\n", name, i, domain);
        buf_put(&rows, line, (size_t)n);
    }
    buf_put_u8(&rows, 0);
    uint32_t id = world_campaign(w, rows.at, false, 600 * US_PER_SEC);
    buf_done(&rows);
    return id;
}

struct campaign_status world_now(struct world *w, uint32_t id) {
    struct campaign_status s;
    struct err err = {0};
    if (engine_campaign(w->engine, id, &s, &err)) fail_msg("%s", err.text);
    return s;
}

struct campaign_status world_wait(struct world *w, uint32_t id,
                                  bool (*until)(const struct campaign_status *s)) {
    for (unsigned i = 0; i < 2000; i++) {
        struct campaign_status s = world_now(w, id);
        if (until ? until(&s) : s.ended != 0) return s;
        usleep(10000);
    }
    struct campaign_status s = world_now(w, id);
    fail_msg("not at its end: delivered %lu failed %lu pending %lu deferred %lu leased %lu",
             (unsigned long)s.tally.delivered, (unsigned long)s.tally.failed,
             (unsigned long)tally_pending(&s.tally), (unsigned long)s.deferred, (unsigned long)s.leased);
    return s;
}

unsigned world_taken(struct world *w, const char *to, bool told) {
    unsigned n = 0;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->taken_count; i++)
        n += strcmp(w->taken[i].to, to) == 0 && (!told || w->taken[i].told);
    pthread_mutex_unlock(&w->lock);
    return n;
}

void world_check(struct world *w, const struct campaign_status *s) {
    const struct tally *t = &s->tally;
    assert_int_equal(t->planned, t->delivered + t->failed + t->suppressed + t->cancelled + t->expired +
                                     t->uncertain + tally_pending(t));
    unsigned told = 0, copies = 0;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->taken_count; i++) {
        const struct taken *mail = &w->taken[i];
        bool first = mail->told;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(mail->to, w->taken[j].to) != 0) continue;
            assert_string_equal(mail->message_id, w->taken[j].message_id);
            first = first && !w->taken[j].told;
            copies++;
            break;
        }
        told += first;
    }
    pthread_mutex_unlock(&w->lock);
    assert_int_equal(told, t->delivered);
    assert_true(copies <= t->doubted); /* a second copy only where the ledger was in doubt */
}
