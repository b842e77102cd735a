/* Fuzz target: the SMTP reply reader, and a client session that speaks with the input as its server.
 *
 * The first byte chooses options. In the rest, 0x01 lets the network take all output, 0x02 half of it, 0x03
 * lets the deadline pass, 0x04 adds a mail; all else is what the server says. Checked beside memory: whole
 * and single bytes give the same replies; each mail has exactly one outcome; DELIVERED only after its dot was
 * taken. */
#include "smtp_client.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAILS = 40 };

struct peer {
    struct smtp_client *client;
    mono_us now;
    bool over, tls, chunking;
    uint64_t added, content_ends[MAILS], wrote;
    unsigned outcomes[MAILS];
};

static struct smtp_mail next_mail(struct peer *p) {
    static const struct slice to = {"b@example.net", 13};
    struct smtp_mail mail = {
        .tag = p->added++, .from = SLICE("a@example.org"), .to = &to, .to_count = 1, .size = 500};
    return mail;
}

static void outcome(void *ctx, uint64_t tag, unsigned rcpt, const struct smtp_outcome *o) {
    struct peer *p = ctx;
    (void)rcpt;
    assert(tag < p->added && ++p->outcomes[tag] == 1);
    assert(o->text.len > 0);
    if (o->result == SMTP_DELIVERED || o->result == SMTP_UNCERTAIN)
        assert(p->content_ends[tag] && p->wrote >= p->content_ends[tag]);
    if (o->result == SMTP_DELIVERED) assert(o->reply && o->reply->code / 10 == 25);
    if (o->result == SMTP_REFUSED) assert(o->reply && o->reply->code >= 400);
    bool said_so = o->why == SMTP_WHY_CHUNKING && o->reply && o->reply->code >= 500;
    if (o->result == SMTP_NOT_SENT && p->content_ends[tag])
        assert(said_so || p->wrote < p->content_ends[tag]);
}

static int content(void *ctx, uint64_t tag, struct buf *out) {
    struct peer *p = ctx;
    size_t pending = smtp_client_output(p->client).len;
    if (tag % 13 == 12) return -1;
    static const struct slice text = {"Subject: x\r\n\r\n.dot\r\nbody\r\n", 26};
    buf_put_slice(out, text);
    /* by DATA one dot is doubled, and a dot ends it; by BDAT the command stands in front */
    bool bdat = p->chunking && smtp_client_caps(p->client)->chunking;
    p->content_ends[tag] = p->wrote + pending + text.len + (bdat ? sizeof "BDAT 26 LAST\r\n" - 1 : 1 + 3);
    return 0;
}

static void ready(void *ctx) {
    struct peer *p = ctx;
    while (p->added < MAILS / 2 && smtp_client_room(p->client) > 4) {
        struct smtp_mail mail = next_mail(p);
        smtp_client_add(p->client, &mail, p->now);
    }
}

static void start_tls(void *ctx) {
    struct peer *p = ctx;
    p->tls = true;
}

static void ended(void *ctx, const struct smtp_end *end) {
    struct peer *p = ctx;
    assert(!p->over && end->text.len > 0);
    p->over = true;
}

static void take_output(struct peer *p, size_t divisor) {
    size_t n = (smtp_client_output(p->client).len + divisor - 1) / divisor;
    p->wrote += n;
    smtp_client_wrote(p->client, n, p->now);
}

static void control(struct peer *p, uint8_t what) {
    struct smtp_mail mail;
    switch (what) {
    case 1: take_output(p, 1); break;
    case 2: take_output(p, 2); break;
    case 3:
        if (smtp_client_deadline(p->client) != NEVER) p->now = smtp_client_deadline(p->client);
        smtp_client_tick(p->client, p->now);
        break;
    default:
        if (p->added == MAILS || !smtp_client_room(p->client)) break;
        mail = next_mail(p);
        smtp_client_add(p->client, &mail, p->now);
    }
}

static void session(uint8_t choice, const uint8_t *data, size_t size) {
    static const struct smtp_client_events events = {outcome, content, ready, start_tls, ended};
    struct smtp_client_options options = {.helo = SLICE("mail.example.org"),
                                          .tls = (enum smtp_tls)(choice % 3),
                                          .pipelining_allowed = choice & 4,
                                          .chunking_allowed = choice & 32,
                                          .bodies_max = choice & 64 ? 2 : 0,
                                          .max_messages = choice & 8 ? 3 : 0};
    struct peer p = {.now = 1, .chunking = choice & 32};
    p.client = smtp_client_open(&options, &events, &p, p.now);
    assert(p.client);
    for (size_t i = 0, n; i < size && !p.over; i += n) {
        for (n = 0; i + n < size && (data[i + n] == 0 || data[i + n] > 4); n++) {
        }
        p.now += 1000;
        if (n)
            smtp_client_input(p.client, slice_make(data + i, n), p.now);
        else
            control(&p, data[i]), n = 1;
        if (p.tls && !p.over) p.tls = false, smtp_client_tls_done(p.client, choice & 16, SLICE("bad"), p.now);
    }
    if (!p.over) smtp_client_lost(p.client, SMTP_WHY_LOST, SLICE(""), p.now);
    assert(p.over);
    for (uint64_t i = 0; i < p.added; i++)
        assert(p.outcomes[i] == 1);
    smtp_client_free(p.client);
}

/* Reads all with steps of `step` bytes and folds what came into a number. */
static uint64_t read_all(const uint8_t *data, size_t size, size_t step) {
    struct smtp_reader reader;
    struct smtp_reply reply;
    uint64_t sum = 14695981039346656037u;
    enum smtp_read got = SMTP_READ_MORE;
    smtp_reader_init(&reader);
    for (size_t i = 0; i < size && got != SMTP_READ_BAD; i += step) {
        struct slice bytes = slice_make(data + i, size - i < step ? size - i : step);
        while (bytes.len && (got = smtp_reader_take(&reader, &bytes, &reply)) == SMTP_READ_REPLY) {
            assert(reply.code >= 200 && reply.code <= 599 && reply.text.len <= SMTP_REPLY_TEXT_MAX);
            sum = (sum ^ (uint64_t)reply.code ^ reply.enhanced[1] << 16) * 1099511628211u;
            for (size_t k = 0; k < reply.text.len; k++)
                sum = (sum ^ (uint8_t)reply.text.at[k]) * 1099511628211u;
        }
    }
    smtp_reader_done(&reader);
    return sum ^ (got == SMTP_READ_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    session(data[0], data + 1, size - 1);
    uint64_t whole = read_all(data + 1, size - 1, size);
    if (whole != read_all(data + 1, size - 1, 1)) abort();
    return 0;
}
