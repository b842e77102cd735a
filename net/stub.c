/* The stub: questions in slots, whose number is part of the id; those beyond MOST wait in a line. All have
 * the same patience, so the oldest is always the next to give up. */
#include "stub.h"

#include "dnsname.h"
#include "dnswire.h"
#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MOST = 1024,
    FRESH = 128,
    PACKET = 512,
    HEADER = 12,
    READS_A_TURN = 64,
    LOST_TO_REST = 3,
    RECEIVE_BUFFER = 2 << 20
};
static const mono_us PATIENCE = 1500 * US_PER_MS;
static const mono_us FRESH_US = 50 * US_PER_MS;
static const mono_us REST = 30 * US_PER_SEC;

struct question {
    struct question *next; /* in the line */
    struct question *newer, *older;
    const char *name;
    stub_done *done;
    void *ctx;
    mono_us sent;
    uint16_t type;
    uint16_t id; /* its low bits are the slot */
    bool fresh;
};

struct stub {
    struct loop *loop;
    struct loop_poll *poll;
    struct loop_timer timer;
    struct question *slots[MOST];
    uint16_t free_slots[MOST];
    unsigned free_count;
    struct question *oldest, *newest;
    struct question *fresh; /* the oldest of these */
    unsigned fresh_count;
    struct question *line, **line_end;
    uint64_t random;
    mono_us rest_until;
    unsigned lost; /* in a row */
    int fd;
    bool closed;
};

static void put_be16(uint8_t *at, unsigned v) {
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static unsigned get_be16(const uint8_t *at) {
    return (unsigned)at[0] << 8 | at[1];
}

/* The question section for a name; its length. */
static size_t write_question(const struct question *q, uint8_t *out) {
    struct slice rest = slice_of(q->name), label;
    size_t n = 0;
    while (slice_cut(&rest, '.', &label)) {
        out[n++] = (uint8_t)label.len;
        memcpy(out + n, label.at, label.len);
        n += label.len;
    }
    out[n++] = 0;
    put_be16(out + n, q->type);
    put_be16(out + n + 2, 1);
    return n + 4;
}

static void send_question(struct stub *s, struct question *q) {
    uint8_t packet[HEADER + DNS_NAME_MAX + 2 + 4] = {0};
    unsigned slot = s->free_slots[--s->free_count];
    s->random = hash_mix(s->random + 1);
    q->id = (uint16_t)((s->random & ~(uint64_t)(MOST - 1)) | slot);
    q->sent = loop_now(s->loop);
    s->slots[slot] = q;
    q->older = s->newest;
    q->newer = NULL;
    *(s->newest ? &s->newest->newer : &s->oldest) = q;
    s->newest = q;
    q->fresh = true;
    s->fresh_count++;
    if (!s->fresh) s->fresh = q;
    put_be16(packet, q->id);
    packet[2] = 1; /* recursion desired */
    packet[5] = 1; /* one question */
    size_t n = HEADER + write_question(q, packet + HEADER);
    send(s->fd, packet, n, MSG_NOSIGNAL); /* what is lost here is found by the timer */
}

static void no_longer_fresh(struct stub *s, struct question *q) {
    if (!q->fresh) return;
    q->fresh = false;
    s->fresh_count--;
    if (s->fresh == q) s->fresh = q->newer;
}

static bool may_send(const struct stub *s) {
    return s->free_count > 0 && s->fresh_count < FRESH;
}

/* Sends what may be sent and sets the timer to what comes next. */
static void move_on(struct stub *s) {
    mono_us now = loop_now(s->loop);
    while (s->fresh && s->fresh->sent + FRESH_US <= now)
        no_longer_fresh(s, s->fresh);
    while (s->line && may_send(s)) {
        struct question *q = s->line;
        s->line = q->next;
        if (!s->line) s->line_end = &s->line;
        send_question(s, q);
    }
    mono_us due = s->oldest ? s->oldest->sent + PATIENCE : NEVER;
    if (s->line && s->fresh && s->fresh->sent + FRESH_US < due) due = s->fresh->sent + FRESH_US;
    loop_timer_start(&s->timer, due);
}

static void finish(struct stub *s, struct question *q, struct slice packet) {
    unsigned slot = q->id & (MOST - 1);
    s->slots[slot] = NULL;
    s->free_slots[s->free_count++] = (uint16_t)slot;
    no_longer_fresh(s, q);
    *(q->older ? &q->older->newer : &s->oldest) = q->newer;
    *(q->newer ? &q->newer->older : &s->newest) = q->older;
    q->done(q->ctx, packet);
    free(q);
}

static void ignore_record(void *ctx, const struct dnswire_record *record) {
    (void)ctx;
    (void)record;
}

/* A chain of CNAMEs that leads out of the packet, or to nothing, is not plain. */
static bool is_plain(struct slice packet, uint16_t type) {
    const uint8_t *bytes = (const uint8_t *)packet.at;
    uint32_t ttl;
    bool truncated = bytes[2] & 2, has_answers = get_be16(bytes + 6) > 0;
    if (truncated || (bytes[2] & 0x78) != 0) return false;
    enum dnswire_kind kind = dnswire_read(packet, type, &ttl, ignore_record, NULL);
    return kind == DNSWIRE_DATA || (!has_answers && (kind == DNSWIRE_NO_DATA || kind == DNSWIRE_NO_NAME));
}

/* Does the packet answer this question? Else it is nobody's and dropped. */
static bool is_answer(const struct question *q, struct slice packet) {
    uint8_t question[DNS_NAME_MAX + 2 + 4];
    if (get_be16((const uint8_t *)packet.at) != q->id) return false;
    size_t n = write_question(q, question);
    return packet.len >= HEADER + n &&
           slice_eq_nocase(slice_make(packet.at + HEADER, n), slice_make(question, n));
}

static void read_answers(struct stub *s) {
    char bytes[PACKET];
    for (int i = 0; i < READS_A_TURN && !s->closed; i++) {
        ssize_t n = recv(s->fd, bytes, sizeof bytes, MSG_TRUNC);
        if (n < 0 && errno == ECONNREFUSED) continue; /* the timer will tell */
        if (n < 0) return;
        if (n < HEADER) continue;
        struct slice packet = slice_make(bytes, (size_t)n < sizeof bytes ? (size_t)n : sizeof bytes);
        struct question *q = s->slots[get_be16((const uint8_t *)bytes) & (MOST - 1)];
        if (!q || !is_answer(q, packet)) continue;
        bool plain = (size_t)n <= sizeof bytes && is_plain(packet, q->type);
        s->lost = 0;
        finish(s, q, plain ? packet : slice_make(NULL, 0));
    }
}

static void on_ready(void *ctx, unsigned events) {
    struct stub *s = ctx;
    (void)events;
    read_answers(s);
    move_on(s);
}

static void on_timer(void *ctx) {
    struct stub *s = ctx;
    mono_us now = loop_now(s->loop);
    for (struct question *q = s->oldest, *newer; q && q->sent + PATIENCE <= now; q = newer) {
        newer = q->newer;
        if (++s->lost >= LOST_TO_REST) s->rest_until = now + REST;
        finish(s, q, slice_make(NULL, 0));
    }
    move_on(s);
}

struct stub *stub_open(struct loop *loop, const struct net_addr *server, uint64_t seed, struct err *err) {
    struct sockaddr_storage at;
    socklen_t n = net_addr_to_sockaddr(server, &at);
    struct stub *s = calloc(1, sizeof *s);
    int size = RECEIVE_BUFFER;
    if (!s) {
        err_set(err, ERR_SYSTEM, "out of memory");
        return NULL;
    }
    s->loop = loop;
    s->random = hash_mix(seed ^ (uint64_t)clock_mono());
    s->line_end = &s->line;
    for (unsigned i = 0; i < MOST; i++)
        s->free_slots[s->free_count++] = (uint16_t)i;
    loop_timer_init(&s->timer, loop, on_timer, s);
    s->fd = socket(at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&at, n) == 0)
        s->poll = loop_poll_open(loop, s->fd, on_ready, s, err);
    else
        err_errno(err, errno, "cannot open a socket to the DNS server");
    if (!s->poll) {
        if (s->fd >= 0) close(s->fd);
        free(s);
        return NULL;
    }
    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    loop_poll_set(s->poll, LOOP_READ);
    return s;
}

void stub_close(struct stub *s) {
    if (!s) return;
    s->closed = true;
    loop_timer_stop(&s->timer);
    for (struct question *q = s->oldest, *newer; q; q = newer) {
        newer = q->newer;
        finish(s, q, slice_make(NULL, 0));
    }
    for (struct question *q = s->line, *next; q; q = next) {
        next = q->next;
        q->done(q->ctx, slice_make(NULL, 0));
        free(q);
    }
    loop_poll_close(s->poll, free);
    close(s->fd);
}

bool stub_ask(struct stub *s, const char *name, uint16_t type, stub_done *done, void *ctx) {
    if (s->closed || loop_now(s->loop) < s->rest_until) return false;
    struct question *q = malloc(sizeof *q);
    if (!q) return false;
    *q = (struct question){.name = name, .type = type, .done = done, .ctx = ctx};
    *s->line_end = q;
    s->line_end = &q->next;
    move_on(s);
    return true;
}
