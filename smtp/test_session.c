/* Conversations of the client session, told line by line. Each is run with the server's bytes whole and one
 * by one; both must go the same way. */
#include "test_session_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct run {
    const struct conversation *told;
    struct smtp_client *client;
    mono_us now;
    char outcomes[20][128];
    unsigned outcome_count, outcome_read;
    char end[128];
    bool tls, over;
};

static void on_outcome(void *ctx, uint64_t tag, unsigned rcpt, const struct smtp_outcome *o) {
    struct run *r = ctx;
    char who[32];
    snprintf(who, sizeof who, tag >> 32 ? "%d.%u" : "%d", (int)(tag & UINT32_MAX), rcpt);
    assert_true(r->outcome_count < 20 && !r->over);
    assert_true(o->text.len > 0);
    snprintf(r->outcomes[r->outcome_count++], 128, "%s %s/%s/%d/%s%s", who, smtp_result_name(o->result),
             smtp_stage_name(o->stage), o->reply ? o->reply->code : 0, smtp_why_name(o->why),
             o->begun ? "/begun" : "");
}

static int on_content(void *ctx, uint64_t tag, struct buf *out) {
    (void)ctx;
    buf_put_slice(out, SLICE("Subject: x\r\n\r\n.dot\r\n"));
    return tag == 13 ? -1 : 0; /* half of it may be there */
}

static void on_ready(void *ctx) {
    struct run *r = ctx;
    assert_true(smtp_client_room(r->client) > 0);
}

static void on_tls(void *ctx) {
    ((struct run *)ctx)->tls = true;
}

/* Frees from within, as a caller may. */
static void on_ended(void *ctx, const struct smtp_end *end) {
    struct run *r = ctx;
    assert_true(end->text.len > 0 && !r->over);
    snprintf(r->end, sizeof r->end, "%s/%s%s", smtp_why_name(end->why), smtp_stage_name(end->stage),
             end->chunking_failed ? "/no BDAT" : "");
    r->over = true;
    smtp_client_free(r->client);
    r->client = NULL;
}

static void say(struct run *r, struct slice bytes, size_t step) {
    for (size_t i = 0; i < bytes.len && !r->over; i += step)
        smtp_client_input(r->client, slice_make(bytes.at + i, bytes.len - i < step ? bytes.len - i : step),
                          r->now);
}

static void add(struct run *r, char what, const char *text) {
    static const struct slice one = {"t@example.net", 13}, elsewhere = {"t@example.com", 13},
                              some[] = {{"a@example.net", 13}, {"b@example.net", 13}, {"c@example.net", 13}},
                              utf8[] = {
                                  {"a@example.net", 13}, {"\xc3\xbc@example.net", 14}, {"c@example.net", 13}};
    struct slice rest = slice_of(text), number;
    uint64_t tag = 0, count = 1;
    struct smtp_mail mail = {.from = SLICE("f@example.org"), .to = what == 'V' ? &elsewhere : &one};
    assert_true(slice_cut(&rest, ' ', &number) && slice_to_u64(number, &tag));
    if (what == 'M' || what == 'U') {
        assert_true(slice_to_u64(rest, &count));
        mail.to = what == 'U' ? utf8 : some;
        tag |= (uint64_t)1 << 32;
    }
    mail.tag = tag;
    mail.to_count = (unsigned)count;
    mail.size = what == 'B' ? 2000 : 0;
    mail.eightbit = what == '8';
    assert_true(smtp_client_add(r->client, &mail, r->now));
}

static void expect(struct run *r, const char *what, struct slice got, const char *want) {
    if (!slice_eq(got, slice_of(want)))
        fail_msg("%s: %s: expected '%s', got '%.*s'", r->told->name, what, want, SLICE_ARG(got));
}

static void check(struct run *r, const struct act *a) {
    char text[32];
    mono_us deadline;
    switch (a->what) {
    case 'O':
        expect(r, "outcome",
               r->outcome_read < r->outcome_count ? slice_of(r->outcomes[r->outcome_read]) : SLICE("none"),
               a->text);
        r->outcome_read++;
        break;
    case 'E': expect(r, "end", slice_of(r->end), a->text); break;
    case 'H': expect(r, "start_tls", r->tls ? SLICE("") : SLICE("not asked for"), ""); break;
    case 'Z':
        expect(r, "nothing", r->outcome_read == r->outcome_count && !r->over ? SLICE("") : SLICE("something"),
               "");
        break;
    case 'R':
        snprintf(text, sizeof text, "%u", smtp_client_room(r->client));
        expect(r, "room", slice_of(text), a->text);
        break;
    case 'Q':
        snprintf(text, sizeof text, "%u", smtp_client_wanted(r->client));
        expect(r, "wanted", slice_of(text), a->text);
        break;
    case 'D':
        deadline = smtp_client_deadline(r->client);
        snprintf(text, sizeof text, "%d", (int)((deadline - r->now) / US_PER_SEC));
        expect(r, "deadline", deadline == NEVER ? SLICE("never") : slice_of(text), a->text);
        break;
    default: fail_msg("%s: unknown act %c", r->told->name, a->what);
    }
}

static void act(struct run *r, const struct act *a, size_t step) {
    uint64_t n = 0;
    switch (a->what) {
    case 'S': say(r, slice_of(a->text), step); break;
    case 'C':
        expect(r, "output", smtp_client_output(r->client), a->text);
        smtp_client_wrote(r->client, strlen(a->text), r->now);
        break;
    case 'W':
        assert_true(slice_to_u64(slice_of(a->text), &n));
        smtp_client_wrote(r->client, n, r->now);
        break;
    case 'A':
    case 'B':
    case 'M':
    case 'U':
    case 'V':
    case '8': add(r, a->what, a->text); break;
    case 'F': smtp_client_finish(r->client, r->now); break;
    case 'L': smtp_client_lost(r->client, SMTP_WHY_LOST, slice_of(a->text), r->now); break;
    case 'T':
        assert_true(slice_to_u64(slice_of(a->text), &n));
        r->now += (mono_us)n * US_PER_SEC;
        smtp_client_tick(r->client, r->now);
        break;
    case 'K': smtp_client_tls_done(r->client, true, SLICE(""), r->now); break;
    case 'N': smtp_client_tls_done(r->client, false, slice_of(a->text), r->now); break;
    default: check(r, a);
    }
}

static void run(const struct conversation *told, size_t step) {
    static const struct smtp_client_events events = {on_outcome, on_content, on_ready, on_tls, on_ended};
    struct run r = {.told = told, .now = 1000};
    r.client = smtp_client_open(&told->options, &events, &r, r.now);
    assert_non_null(r.client);
    for (size_t i = 0; told->acts[i].what; i++)
        act(&r, &told->acts[i], step);
    if (r.outcome_read != r.outcome_count)
        fail_msg("%s: more outcomes: %s", told->name, r.outcomes[r.outcome_read]);
    smtp_client_free(r.client);
}

static void run_all(const struct conversation *told, size_t count) {
    for (size_t i = 0; i < count; i++) {
        run(&told[i], SIZE_MAX / 2);
        run(&told[i], 1);
        run(&told[i], 7);
    }
}

static void test_conversations(void **state) {
    (void)state;
    run_all(conversations, sizeof conversations / sizeof *conversations);
}

static void test_groups(void **state) {
    (void)state;
    run_all(group_conversations, sizeof group_conversations / sizeof *group_conversations);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conversations), cmocka_unit_test(test_groups)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
