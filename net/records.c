/* One question, one packet, read into texts. The recursor may call back from within and wants no questions
 * then, so an answer is kept and given from a timer; after a time-out the question stays until the recursor
 * lets go of it. */
#include "records.h"

#include "recursor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_TIMEOUT_MS = 20000 };

struct asking {
    struct asking *next, **link;
    struct records *owner;
    records_done *done; /* NULL: called already */
    void *ctx;
    struct loop_timer timer; /* the time-out, then the giving of the answer */
    uint16_t type;
    bool answered; /* the recursor is through with it */
    struct records_answer answer;
    size_t ends[RECORDS_MOST]; /* of the values in bytes */
    struct buf bytes;
    char name[DNS_NAME_MAX + 1];
};

struct records {
    struct loop *loop;
    struct recursor *recursor;
    struct asking *all;
    mono_us timeout;
    bool closing;
};

static void release(struct asking *a) {
    loop_timer_stop(&a->timer);
    buf_done(&a->bytes);
    free(a);
}

static void drop(struct asking *a) {
    *a->link = a->next;
    if (a->next) a->next->link = a->link;
    release(a);
}

static void fail(struct asking *a, enum records_status status, const char *why) {
    a->answer.status = status;
    a->answer.count = 0;
    snprintf(a->answer.why, sizeof a->answer.why, "%s", why);
}

static void put_strings(struct buf *out, struct slice strings) {
    while (strings.len) {
        size_t n = (uint8_t)strings.at[0];
        buf_put(out, strings.at + 1, n);
        strings = slice_skip(strings, n + 1);
    }
}

static void put_address(struct buf *out, uint16_t type, const uint8_t *bytes) {
    struct net_addr addr = {.family = type == DNS_A ? NET_V4 : NET_V6};
    char text[NET_ADDR_TEXT_MAX];
    memcpy(addr.bytes, bytes, type == DNS_A ? 4 : 16);
    buf_put(out, text, (size_t)net_addr_format(&addr, text));
}

static void keep(void *ctx, const struct dnswire_record *record) {
    struct asking *a = ctx;
    if (a->answer.count == RECORDS_MOST) return;
    if (a->type == DNS_MX) buf_printf(&a->bytes, "%u ", record->preference);
    if (a->type == DNS_TXT)
        put_strings(&a->bytes, record->strings);
    else if (a->type == DNS_A || a->type == DNS_AAAA)
        put_address(&a->bytes, a->type, record->address);
    else
        buf_put_text(&a->bytes, record->name);
    if (!a->bytes.failed) a->ends[a->answer.count++] = a->bytes.len;
}

static void read_packet(struct asking *a, struct slice packet) {
    uint32_t ttl;
    switch (dnswire_read(packet, a->type, &ttl, keep, a)) {
    case DNSWIRE_DATA: a->answer.status = RECORDS_FOUND; break;
    case DNSWIRE_NO_DATA: a->answer.status = RECORDS_NONE; break;
    case DNSWIRE_NO_NAME: a->answer.status = RECORDS_NO_NAME; break;
    case DNSWIRE_FAILED: fail(a, RECORDS_TEMPORARY, "the server failed"); break;
    case DNSWIRE_MALFORMED: fail(a, RECORDS_TEMPORARY, "malformed answer"); break;
    }
    if (a->answer.status != RECORDS_FOUND) a->answer.count = 0;
}

static void give(struct asking *a) {
    records_done *done = a->done;
    size_t at = 0;
    for (size_t i = 0; i < a->answer.count; at = a->ends[i++])
        a->answer.values[i] = slice_make(a->bytes.at ? a->bytes.at + at : "", a->ends[i] - at);
    a->done = NULL;
    done(a->ctx, &a->answer);
}

static void on_timer(void *ctx) {
    struct asking *a = ctx;
    if (!a->answered) fail(a, RECORDS_TEMPORARY, "time-out");
    if (a->done) give(a);
    if (a->answered) drop(a);
}

static void on_answer(void *ctx, enum recursor_verdict verdict, struct slice packet, const char *text) {
    struct asking *a = ctx;
    a->answered = true;
    if (a->owner->closing) return;
    if (a->done && verdict == RECURSOR_ANSWER)
        read_packet(a, packet);
    else if (a->done)
        fail(a, verdict == RECURSOR_BOGUS ? RECORDS_BOGUS : RECORDS_TEMPORARY,
             text[0] ? text : "DNSSEC validation failed");
    loop_timer_start(&a->timer, loop_now(a->owner->loop));
}

struct records *records_open(struct loop *loop, const struct resolver_options *options, struct err *err) {
    struct records *r = calloc(1, sizeof *r);
    if (!r) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    r->loop = loop;
    r->timeout = (options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS) * US_PER_MS;
    r->recursor = recursor_open(loop, options, err);
    if (r->recursor) return r;
    free(r);
    return NULL;
}

void records_close(struct records *r) {
    if (!r) return;
    r->closing = true;
    recursor_close(r->recursor); /* what is under way comes to on_answer */
    for (struct asking *a = r->all, *next; a; a = next) {
        next = a->next;
        release(a);
    }
    free(r);
}

int records_ask(struct records *r, struct slice name, uint16_t type, records_done *done, void *ctx) {
    struct asking *a = calloc(1, sizeof *a);
    if (!a) return -1;
    assert(!r->closing);
    *a = (struct asking){.next = r->all, .link = &r->all, .owner = r, .done = done, .ctx = ctx, .type = type};
    if (r->all) r->all->link = &a->next;
    r->all = a;
    buf_init(&a->bytes, RECORDS_TEXT_MAX);
    loop_timer_init(&a->timer, r->loop, on_timer, a);
    if (!dns_name_clean(name, a->name)) {
        fail(a, RECORDS_NO_NAME, "not a domain name");
        a->answered = true;
        loop_timer_start(&a->timer, loop_now(r->loop));
        return 0;
    }
    loop_timer_start(&a->timer, loop_now(r->loop) + r->timeout);
    if (recursor_ask(r->recursor, a->name, type, on_answer, a)) return 0;
    fail(a, RECORDS_TEMPORARY, "the question could not be asked");
    a->answered = true;
    loop_timer_start(&a->timer, loop_now(r->loop));
    return 0;
}

void records_reverse_name(const struct net_addr *addr, char out[DNS_NAME_MAX + 1]) {
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    if (addr->family == NET_V4) {
        snprintf(out, DNS_NAME_MAX + 1, "%u.%u.%u.%u.in-addr.arpa", addr->bytes[3], addr->bytes[2],
                 addr->bytes[1], addr->bytes[0]);
        return;
    }
    for (int i = 15; i >= 0; i--) {
        out[len++] = digits[addr->bytes[i] & 15];
        out[len++] = '.';
        out[len++] = digits[addr->bytes[i] >> 4];
        out[len++] = '.';
    }
    snprintf(out + len, DNS_NAME_MAX + 1 - len, "ip6.arpa");
}
