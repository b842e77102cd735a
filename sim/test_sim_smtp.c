/* The server's end of SMTP: conversations in tables, in one piece and byte by byte, with limits, users and
 * faults. */
#include "test_sim_talk.h"

static const char scenario_text[] =
    "seed: 4\n"
    "providers:\n"
    "  - {name: a, domains: [a.test], hosts: [mx.a.test]}\n"
    "  - {name: b, domains: [b.test], hosts: [mx.b.test], extensions: {pipelining: false, enhanced: false},\n"
    "     limits: {size: 300, recipients: 2}}\n"
    "  - {name: tls, domains: [tls.test], hosts: [mx.tls.test], tls: {mode: require}}\n"
    "  - {name: limited, domains: [limited.test], hosts: [mx.limited.test], manner: yahoo,\n"
    "     limits: {connections: 1, messages: 1, rate: 1, burst: 1}}\n"
    "  - {name: users, domains: [users.test], hosts: [mx.users.test], users: {unknown: 1}}\n"
    "  - {name: late, domains: [late.test], hosts: [mx.late.test], users: {unknown: 1, unknown_at: data}}\n"
    "  - {name: grey, domains: [grey.test], hosts: [mx.grey.test], greylist: {share: 1, delay: 3}}\n"
    "  - {name: full, domains: [full.test], hosts: [mx.full.test], users: {full: 1, full_for: 2}, manner: "
    "google}\n"
    "  - {name: slow, domains: [slow.test], hosts: [mx.slow.test], latency: {connect: 10, command: 1, data: "
    "5}}\n"
    "  - {name: chunks, domains: [chunks.test], hosts: [mx.chunks.test],\n"
    "     extensions: {chunking: true, smtputf8: true, limits: \"MAILMAX=20 RCPTMAX=1\"}}\n"
    "  - {name: single, domains: [single.test], hosts: [mx.single.test],\n"
    "     extensions: {chunking: true, pipelining: false}}\n"
    "  - {name: broken, domains: [broken.test], hosts: [mx.broken.test], extensions: {chunking: broken}}\n"
    "  - {name: moody, domains: [moody.test], hosts: [mx.moody.test], defer: {rcpt: 0.5, data: 0.5}}\n";

#define ENVELOPE(to) "MAIL FROM:<me@here.test>\r\nRCPT TO:<" to ">\r\n"

static void conversations_are_answered(void **state) {
    (void)state;
    static const struct {
        const char *host, *in, *codes;
        uint64_t accepted;
    } cases[] = {
        {"mx.a.test", BEGIN "QUIT\r\n", "220 554", 0}, /* EHLO must be waited for */
        {"mx.a.test", "MAIL FROM:<a@b.test>\r\n", "220 503", 0},
        {"mx.a.test", "HELO me\r\n", "220 250", 0},
        {"mx.a.test", "EHLO\r\n", "220 501", 0},
        {"mx.a.test", "ehlo me\r\n", "220 250", 0},
        {"mx.a.test", "BOGUS\r\n", "220 500", 0},
        {"mx.a.test", "EHLO me\n", "220 500", 0},
        {"mx.a.test", "EHLO m\x80\r\n", "220 500", 0},
        {"mx.a.test", "STARTTLS\r\n", "220 502", 0},
        {"mx.a.test", "QUIT\r\n", "220 221", 0},
    };
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call(&b, cases[i].host);
        talk(&b, slice_of(cases[i].in), 1 << 20);
        assert_string_equal(codes(&b, text), cases[i].codes);
        hang_up(&b);
    }
    done(&b);
}

/* EHLO first, by itself; then the rest. */
static const char *after_ehlo(struct bench *b, const char *host, const char *in, size_t size,
                              char text[400]) {
    call(b, host);
    talk(b, SLICE(BEGIN), size);
    buf_reset(&b->out);
    talk(b, slice_of(in), size);
    hang_up(b);
    return codes(b, text);
}

static void envelopes_are_strict(void **state) {
    (void)state;
    static const struct {
        const char *host, *in, *codes;
    } cases[] = {
        {"mx.a.test", "MAIL FROM:<>\r\nRCPT TO:<u@a.test>\r\n", "250 250"},
        {"mx.a.test", "MAIL FROM: <x@y.test>\r\n", "501"},
        {"mx.a.test", "MAIL FROM:x@y.test\r\n", "501"},
        {"mx.a.test", "MAIL FROM:<x y@z.test>\r\n", "501"},
        {"mx.a.test", "MAIL FROM:<x@y.test>SIZE=3\r\n", "501"},
        {"mx.a.test", "MAIL FROM:<x@y.test> SIZE=3 BODY=8BITMIME\r\n", "250"},
        {"mx.a.test", "MAIL FROM:<x@y.test> SIZE=x\r\n", "501"},
        {"mx.a.test", "MAIL FROM:<x@y.test> SMTPUTF8\r\n", "555"},
        {"mx.a.test", "MAIL FROM:<\"a>b\"@y.test>\r\n", "250"},
        {"mx.a.test", "MAIL FROM:<x@y.test>\r\nMAIL FROM:<x@y.test>\r\n", "250 503"},
        {"mx.a.test", "RCPT TO:<u@a.test>\r\n", "503"},
        {"mx.a.test", ENVELOPE("u@b.test"), "250 554"},
        {"mx.a.test", ENVELOPE("u@A.TEST"), "250 250"},
        {"mx.a.test", ENVELOPE("u@"), "250 501"},
        {"mx.a.test", ENVELOPE(""), "250 501"},
        {"mx.a.test", ENVELOPE(".u@a.test"), "250 501"},
        {"mx.a.test", ENVELOPE("u..v@a.test"), "250 501"},
        {"mx.a.test", "MAIL FROM:<x@y.test>\r\nDATA\r\n", "250 554"},
        {"mx.a.test", "DATA\r\n", "503"},
        {"mx.a.test", ENVELOPE("u@a.test") "RSET\r\nDATA\r\n", "250 250 250 503"},
        {"mx.a.test", ENVELOPE("u@a.test") "DATA\r\nFrom: x\r\n", "250 250 554"},
        {"mx.b.test", "MAIL FROM:<x@y.test>\r\nRCPT TO:<u@b.test>\r\n", "554"}, /* pipelining not offered */
        {"mx.b.test", "MAIL FROM:<x@y.test> SIZE=301\r\n", "552"},
        {"mx.tls.test", "MAIL FROM:<x@y.test>\r\n", "530"},
        {"mx.users.test", ENVELOPE("u@users.test"), "250 550"},
        {"mx.full.test", ENVELOPE("u@full.test"), "250 452"},
        {"mx.grey.test", ENVELOPE("u@grey.test"), "250 450"},
    };
    char text[400];
    for (size_t size = 1; size <= 1 << 16; size <<= 16) {
        struct bench b;
        open_text(&b, scenario_text);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (size == 1 && strstr(cases[i].codes, "554"))
                continue; /* byte by byte nothing comes ahead of its time */
            const char *got = after_ehlo(&b, cases[i].host, cases[i].in, size, text);
            if (strcmp(got, cases[i].codes) != 0)
                fail_msg("%s: %s, want %s", cases[i].in, got, cases[i].codes);
        }
        done(&b);
    }
}

static void contents_are_judged(void **state) {
    (void)state;
    char lines[3000];
    memset(lines, 'x', sizeof lines);
    memcpy(lines + 998, "\r\n.\r\n", 6);
    struct slice longest = {lines, 1003};
    static char too_long[3006];
    memset(too_long, 'x', 2999);
    memcpy(too_long + 2999, "\r\n.\r\n", 6);
    const struct {
        struct slice in;
        const char *code;
    } cases[] = {
        {SLICE("Subject: x\r\n\r\nhello\r\n.\r\n"), "250"},
        {SLICE(".\r\n"), "250"},
        {SLICE("..\r\n.\r\n"), "250"},
        {SLICE("a\nb\r\n.\r\n"), "550"},
        {SLICE("a\r\n.\nMAIL\r\n.\r\n"), "550"}, /* smuggling: the dot with a bare LF does not end it */
        {SLICE("a\n.\r\n.\r\n"), "550"},
        {SLICE("a\rb\r\n.\r\n"), "550"},
        {longest, "250"},
        {slice_make(too_long, 3004), "550"},
    };
    for (size_t size = 1; size <= 1 << 16; size = size * 7 + 1) {
        struct bench b;
        open_text(&b, scenario_text);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            call(&b, "mx.a.test");
            talk(&b, SLICE(BEGIN), 1000);
            const char *got = send_mail(&b, "u@a.test", cases[i].in, size);
            if (strcmp(got, cases[i].code) != 0) fail_msg("content %zu by %zu: %s", i, size, got);
            hang_up(&b);
        }
        done(&b);
    }
}

static void contents_are_hashed_without_their_dots(void **state) {
    (void)state;
    const struct slice in = SLICE("Message-ID: <x@y>\r\nTo: z\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n");
    const struct slice plain = SLICE("Message-ID: <x@y>\r\nTo: z\r\n\r\n.dot\r\n..\r\nend\r\n");
    char want[65], got[65];
    struct sim_digest d = {0};
    for (int sha = 0; sha < 2; sha++) {
        sim_digest_start(&d, sha);
        sim_digest_add(&d, plain);
        size_t len = sim_digest_end(&d, want);
        for (size_t size = 1; size < 60; size++) {
            struct bench b;
            open_text(&b, scenario_text);
            b.world.sha256 = sha;
            call(&b, "mx.a.test");
            talk(&b, SLICE(BEGIN), 100);
            assert_string_equal(send_mail(&b, "u@a.test", in, size), "250");
            assert_int_equal(sim_digest_end(&b.session.digest, got), len);
            assert_memory_equal(got, want, len);
            assert_true(b.session.size == plain.len);
            assert_int_equal(b.session.message_id_len, 5);
            assert_memory_equal(b.session.message_id, "<x@y>", 5);
            hang_up(&b);
            done(&b);
        }
    }
    sim_digest_done(&d);
}

static void message_ids_are_found(void **state) {
    (void)state;
    static const struct {
        const char *in, *id;
    } cases[] = {{"message-id:<a@b>\r\n\r\nx\r\n.\r\n", "<a@b>"},
                 {"Message-ID:\r\n <folded@b>\r\nTo: x\r\n\r\nx\r\n.\r\n", "<folded@b>"},
                 {"Subject: x\r\n\r\nMessage-ID: <in@body>\r\n.\r\n", ""},
                 {"Message-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n.\r\n", "<1@x>"},
                 {"Message-IDs: <1@x>\r\n\r\n.\r\n", ""}};
    struct bench b;
    open_text(&b, scenario_text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call(&b, "mx.a.test");
        talk(&b, SLICE(BEGIN), 100);
        send_mail(&b, "u@a.test", slice_of(cases[i].in), 5);
        assert_int_equal(b.session.message_id_len, strlen(cases[i].id));
        assert_memory_equal(b.session.message_id, cases[i].id, strlen(cases[i].id));
        hang_up(&b);
    }
    done(&b);
}

static void limits_hold(void **state) {
    (void)state;
    static const char mail[] = "MAIL FROM:<me@here.test>\r\n";
    char text[400];
    struct bench b;
    struct sim_session first;
    open_text(&b, scenario_text);
    call(&b, "mx.limited.test");
    first = b.session;
    call(&b, "mx.limited.test"); /* a second connection at the same time */
    assert_int_equal(b.session.want, SIM_WANT_CLOSE);
    assert_memory_equal(b.session.out.at, "421", 3);
    hang_up(&b);
    b.session = first;
    talk(&b, SLICE(BEGIN), 100);
    assert_string_equal(send_mail(&b, "u@limited.test", SLICE("x: y\r\n.\r\n"), 100), "250");
    buf_reset(&b.out);
    b.world.now += 2 * US_PER_SEC; /* past the rate, so that it is the messages in a connection */
    talk(&b, slice_of(mail), 100);
    assert_string_equal(codes(&b, text), "421");
    assert_true(slice_find_nocase(buf_slice(&b.out), SLICE("Max message per connection")) >= 0);
    hang_up(&b);
    call(&b, "mx.limited.test");
    talk(&b, SLICE(BEGIN "MAIL"), 9);
    hang_up(&b);
    call(&b, "mx.limited.test");
    talk(&b, SLICE(BEGIN), 100);
    talk(&b, SLICE("MAIL FROM:<me@here.test>\r\n"), 100);
    hang_up(&b);
    call(&b, "mx.limited.test");
    talk(&b, SLICE(BEGIN), 100);
    buf_reset(&b.out);
    talk(&b, SLICE("MAIL FROM:<me@here.test>\r\n"), 100);
    assert_string_equal(codes(&b, text), "421"); /* the rate: one a second, and that was taken */
    assert_true(slice_find_nocase(buf_slice(&b.out), SLICE("TSS04")) >= 0);
    hang_up(&b);
    done(&b);
}

static void recipients_and_sizes_are_limited(void **state) {
    (void)state;
    char text[400], big[500];
    struct bench b;
    open_text(&b, scenario_text);
    call(&b, "mx.b.test");
    talk(&b, SLICE(BEGIN), 1);
    assert_null(memmem(b.out.at, b.out.len, "PIPELINING", 10));
    buf_reset(&b.out);
    talk(&b, SLICE("MAIL FROM:<me@here.test>\r\n"), 100);
    talk(&b, SLICE("RCPT TO:<u1@b.test>\r\n"), 100);
    talk(&b, SLICE("RCPT TO:<u2@b.test>\r\n"), 100);
    talk(&b, SLICE("RCPT TO:<u3@b.test>\r\n"), 100);
    assert_string_equal(codes(&b, text), "250 250 250 452");
    assert_null(memmem(b.out.at, b.out.len, "4.5.3", 5)); /* no enhanced codes here */
    memset(big, 'x', sizeof big);
    memcpy(big + 400, "\r\n.\r\n", 5);
    talk(&b, SLICE("DATA\r\n"), 100);
    buf_reset(&b.out);
    talk(&b, slice_make(big, 405), 100);
    assert_string_equal(codes(&b, text), "552");
    assert_int_equal(b.world.truth.count[SIM_EVENT_REFUSED], 2);
    hang_up(&b);
    done(&b);
}

/* All after EHLO, in one piece and byte by byte. */
static void chunks_are_taken(void **state) {
    (void)state;
    static const char to[] = ENVELOPE("u@chunks.test");
    static const struct {
        const char *in, *codes;
        unsigned accepted;
    } cases[] = {
        {"BDAT 6 LAST\r\na: b\r\n", "250 250 250", 1},
        {"bdat 6 last\r\na: b\r\nMAIL FROM:<x@y.test>\r\n", "250 250 250 250", 1},
        {"BDAT 4\r\na: bBDAT 2\r\n\r\nBDAT 0 LAST\r\n", "250 250 250 250 250", 1},
        {"BDAT 5\r\na: b\rBDAT 4 LAST\r\n\n.\r\n", "250 250 250 250", 1},
        {"BDAT 0 LAST\r\n", "250 250 250", 1},
        {"BDAT 4 LAST\r\na: b", "250 250 550", 0},            /* no end of the line */
        {"BDAT 5 LAST\r\na: b\n", "250 250 550", 0},          /* a bare LF */
        {"BDAT 7 LAST\r\n\xc3\xbc: b\r\n", "250 250 550", 0}, /* UTF-8, but no SMTPUTF8 */
        {"BDAT x\r\n", "250 250 501", 0},
        {"BDAT 6 FIRST\r\n", "250 250 501", 0},
        {"BDAT\r\n", "250 250 501", 0},
        {"BDAT 6\r\na: b\r\nDATA\r\n", "250 250 250 503", 0},
        {"BDAT 6\r\na: b\r\nRCPT TO:<v@chunks.test>\r\n", "250 250 250 503", 0},
        {"BDAT 6\r\na: b\r\nRSET\r\nBDAT 3 LAST\r\nabc", "250 250 250 250 503", 0},
        {"BDAT 6 LAST\r\na: b\r\nBDAT 5 LAST\r\nNOOP\n", "250 250 250 503", 1},
        {"RSET\r\nMAIL FROM:<x@y.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "250 250 250 250 554 250", 0},
    };
    char text[400], in[400];
    for (size_t size = 1; size <= 1 << 16; size <<= 16) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct bench b;
            open_text(&b, scenario_text);
            snprintf(in, sizeof in, "%s%s", to, cases[i].in);
            const char *got = after_ehlo(&b, "mx.chunks.test", in, size, text);
            if (strcmp(got, cases[i].codes) != 0) fail_msg("%s: %s, want %s", in, got, cases[i].codes);
            assert_int_equal(b.world.truth.count[SIM_EVENT_ACCEPTED], cases[i].accepted);
            done(&b);
        }
    }
}

static void chunks_are_hashed_as_they_are(void **state) {
    (void)state;
    const struct slice content = SLICE("Message-ID: <x@y>\r\nTo: z\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n");
    char want[65], got[65], line[100];
    struct sim_digest d = {0};
    sim_digest_start(&d, false);
    sim_digest_add(&d, content);
    size_t len = sim_digest_end(&d, want);
    for (size_t cut = 0; cut <= content.len; cut++) {
        struct bench b;
        struct buf in;
        open_text(&b, scenario_text);
        buf_init(&in, 1000);
        buf_printf(&in, ENVELOPE("u@chunks.test") "BDAT %zu\r\n", cut);
        buf_put(&in, content.at, cut);
        snprintf(line, sizeof line, "BDAT %zu LAST\r\n", content.len - cut);
        buf_put_text(&in, line);
        buf_put_slice(&in, slice_skip(content, cut));
        call(&b, "mx.chunks.test");
        talk(&b, SLICE(BEGIN), 100);
        talk(&b, buf_slice(&in), 1 + cut % 9);
        assert_int_equal(b.world.truth.count[SIM_EVENT_ACCEPTED], 1);
        assert_int_equal(sim_digest_end(&b.session.digest, got), len);
        assert_memory_equal(got, want, len);
        assert_int_equal(b.session.message_id_len, 5);
        buf_done(&in);
        hang_up(&b);
        done(&b);
    }
    sim_digest_done(&d);
}

static void chunks_without_pipelining_and_where_they_are_broken(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    call(&b, "mx.single.test");
    talk(&b, SLICE(BEGIN), 100);
    talk(&b, SLICE("MAIL FROM:<x@y.test>\r\n"), 100);
    talk(&b, SLICE("RCPT TO:<u@single.test>\r\n"), 100);
    buf_reset(&b.out);
    talk(&b, SLICE("BDAT 6 LAST\r\na: b\r\n"), 100);
    assert_string_equal(codes(&b, text), "250");
    talk(&b, SLICE("MAIL FROM:<x@y.test>\r\n"), 100);
    talk(&b, SLICE("RCPT TO:<u@single.test>\r\n"), 100);
    buf_reset(&b.out);
    talk(&b, SLICE("BDAT 6 LAST\r\na: b\r\nNOOP\r\n"), 100);
    assert_string_equal(codes(&b, text), "554");
    assert_int_equal(b.session.want, SIM_WANT_CLOSE);
    hang_up(&b);
    assert_string_equal(
        after_ehlo(&b, "mx.broken.test", ENVELOPE("u@broken.test") "BDAT 6 LAST\r\na: b\r\n", 1000, text),
        "250 250 502 500");
    assert_string_equal(after_ehlo(&b, "mx.a.test", ENVELOPE("u@a.test") "BDAT 0\r\n", 1000, text),
                        "250 250 502");
    done(&b);
}

static void utf8_is_taken_where_offered(void **state) {
    (void)state;
    static const struct {
        const char *host, *in, *codes;
    } cases[] = {
        {"mx.chunks.test",
         "MAIL FROM:<x@y.test> SMTPUTF8\r\nRCPT TO:<\xc3\xbc@chunks.test>\r\n"
         "BDAT 7 LAST\r\n\xc3\xbc: b\r\n",
         "250 250 250"},
        {"mx.chunks.test", "MAIL FROM:<\xc3\xbc@y.test> SMTPUTF8\r\n", "250"},
        {"mx.chunks.test", "MAIL FROM:<\xc3\xbc@y.test>\r\n", "553"},
        {"mx.chunks.test", "MAIL FROM:<x@y.test>\r\nRCPT TO:<\xc3\xbc@chunks.test>\r\n", "250 501"},
        {"mx.chunks.test", "MAIL FROM:<x@y.test> SMTPUTF8\r\nRCPT TO:<\xc3@chunks.test>\r\n", "250 500"},
        {"mx.a.test", "MAIL FROM:<x@y.test>\r\nRCPT TO:<\xc3\xbc@a.test>\r\n", "250 500"},
    };
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(after_ehlo(&b, cases[i].host, cases[i].in, 1000, text), cases[i].codes);
    call(&b, "mx.chunks.test");
    talk(&b, SLICE(BEGIN), 100);
    assert_true(slice_find_nocase(buf_slice(&b.out), SLICE("\n250-LIMITS MAILMAX=20 RCPTMAX=1\r\n")) > 0);
    hang_up(&b);
    done(&b);
}

static void what_is_temporary_passes(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    assert_string_equal(after_ehlo(&b, "mx.grey.test", ENVELOPE("u@grey.test"), 999, text), "250 450");
    b.world.now += 2900000;
    assert_string_equal(after_ehlo(&b, "mx.grey.test", ENVELOPE("u@grey.test"), 999, text), "250 450");
    b.world.now += 200000;
    assert_string_equal(after_ehlo(&b, "mx.grey.test", ENVELOPE("u@grey.test"), 999, text), "250 250");
    assert_string_equal(
        after_ehlo(&b, "mx.grey.test", "MAIL FROM:<other@here.test>\r\nRCPT TO:<u@grey.test>\r\n", 999, text),
        "250 450");
    assert_string_equal(after_ehlo(&b, "mx.full.test", ENVELOPE("u@full.test"), 999, text), "250 452");
    b.world.now += 2 * US_PER_SEC;
    assert_string_equal(after_ehlo(&b, "mx.full.test", ENVELOPE("u@full.test"), 999, text), "250 250");
    done(&b);
}

static void chance_does_not_depend_on_order(void **state) {
    (void)state;
    unsigned put_off = 0;
    char in[100], text[400];
    uint8_t first[200];
    for (int round = 0; round < 2; round++) {
        struct bench b;
        open_text(&b, scenario_text);
        for (int i = 0; i < 200; i++) {
            int n = round ? 199 - i : i;
            snprintf(in, sizeof in, "MAIL FROM:<me@here.test>\r\nRCPT TO:<u%d@moody.test>\r\n", n);
            bool off = strcmp(after_ehlo(&b, "mx.moody.test", in, 999, text), "250 451") == 0;
            if (round)
                assert_int_equal(off, first[n]);
            else
                put_off += first[n] = off;
        }
        done(&b);
    }
    assert_in_range(put_off, 60, 140);
}

static void waiting_changes_nothing_but_time(void **state) {
    (void)state;
    struct bench b;
    open_text(&b, scenario_text);
    sim_us start = b.world.now;
    call(&b, "mx.slow.test");
    assert_int_equal(b.session.want, SIM_WANT_WAIT);
    b.world.now += b.session.wait_us;
    talk(&b, (struct slice){0}, 1);
    talk(&b, SLICE(BEGIN), 5);
    assert_string_equal(send_mail(&b, "u@slow.test", SLICE("a: b\r\n\r\nx\r\n.\r\n"), 4), "250");
    assert_in_range(b.world.now - start, 14000, 25000);
    hang_up(&b);
    done(&b);
}

static void unknown_after_the_content(void **state) {
    (void)state;
    struct bench b;
    open_text(&b, scenario_text);
    call(&b, "mx.late.test");
    talk(&b, SLICE(BEGIN), 100);
    assert_string_equal(send_mail(&b, "u@late.test", SLICE("a: b\r\n\r\n.\r\n"), 100), "550");
    assert_int_equal(b.world.truth.count[SIM_EVENT_UNKNOWN], 1);
    hang_up(&b);
    done(&b);
}

/* Where the scenario sets no limit a client may still not fill the memory. */
static void recipients_without_end_are_refused(void **state) {
    (void)state;
    struct bench b;
    struct buf in;
    open_text(&b, scenario_text);
    call(&b, "mx.a.test");
    talk(&b, SLICE(BEGIN), 100);
    buf_init(&in, 8 << 20);
    buf_put_text(&in, "MAIL FROM:<me@here.test>\r\n");
    for (int i = 0; i < 10001; i++) {
        buf_put_text(&in, "RCPT TO:<");
        for (int n = 0; n < 64; n++)
            buf_put_c(&in, 'u');
        buf_put_text(&in, "@a.test>\r\n");
    }
    talk(&b, buf_slice(&in), 1 << 16);
    assert_int_equal(b.session.rcpts, 10000);
    struct slice last = SLICE("452 4.5.3 Error: too many recipients\r\n");
    assert_true(slice_eq(slice_skip(buf_slice(&b.out), b.out.len - last.len), last));
    buf_done(&in);
    hang_up(&b);
    done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_are_answered),
        cmocka_unit_test(envelopes_are_strict),
        cmocka_unit_test(contents_are_judged),
        cmocka_unit_test(contents_are_hashed_without_their_dots),
        cmocka_unit_test(message_ids_are_found),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(recipients_and_sizes_are_limited),
        cmocka_unit_test(chunks_are_taken),
        cmocka_unit_test(chunks_are_hashed_as_they_are),
        cmocka_unit_test(chunks_without_pipelining_and_where_they_are_broken),
        cmocka_unit_test(utf8_is_taken_where_offered),
        cmocka_unit_test(what_is_temporary_passes),
        cmocka_unit_test(chance_does_not_depend_on_order),
        cmocka_unit_test(waiting_changes_nothing_but_time),
        cmocka_unit_test(unknown_after_the_content),
        cmocka_unit_test(recipients_without_end_are_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
