/* Faults of the fake hosts: each strikes where and as often as it says; and noise does the server no harm. */
#include "test_sim_talk.h"

/* Every step with every fault: what the client gets to see, and that the truth is consistent. */
static void faults_strike_where_they_should(void **state) {
    (void)state;
    static const struct {
        const char *step, *kind, *codes;
        enum sim_want want;
    } cases[] = {
        {"connect", "drop", "", SIM_WANT_CLOSE},
        {"connect", "stall", "", SIM_WANT_STALL},
        {"greeting", "\"421\"", "421", SIM_WANT_CLOSE},
        {"greeting", "half", "", SIM_WANT_CLOSE},
        {"ehlo", "drop", "220", SIM_WANT_CLOSE},
        {"ehlo", "early", "220 250 250 250 354 250", SIM_WANT_INPUT},
        {"mail", "stall", "220 250", SIM_WANT_STALL},
        {"mail", "early", "220 250 250 250 354 250", SIM_WANT_INPUT},
        {"rcpt", "reset", "220 250 250", SIM_WANT_RESET},
        {"rcpt", "early", "220 250 250 250 354 250", SIM_WANT_INPUT},
        {"data", "half-stall", "220 250 250 250", SIM_WANT_STALL},
        {"data", "early", "220 250 250 250 354 250", SIM_WANT_INPUT},
        {"body", "drop", "220 250 250 250 354", SIM_WANT_CLOSE},
        {"body", "early", "220 250 250 250 354 554", SIM_WANT_INPUT},
        {"dot", "\"421\"", "220 250 250 250 354 421", SIM_WANT_CLOSE},
        {"dot", "early", "220 250 250 250 354 250", SIM_WANT_INPUT},
        {"dot", "drop", "220 250 250 250 354", SIM_WANT_CLOSE},
        {"dot", "garbage", "220 250 250 250 354", SIM_WANT_INPUT},
        {"dot", "oversized", "220 250 250 250 354 250", SIM_WANT_INPUT},
        {"dot", "flood", "220 250 250 250 354 250", SIM_WANT_INPUT},
    };
    char yaml[400], text[400], body[1000];
    memset(body, 'x', sizeof body);
    memcpy(body + 400, "\r\n", 2);
    memcpy(body + 800, "\r\n.\r\n", 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        snprintf(yaml, sizeof yaml,
                 "providers:\n  - {name: f, domains: [f.test], hosts: [mx.f.test], faults: [{step: %s, do: "
                 "%s}]}\n",
                 cases[i].step, cases[i].kind);
        open_text(&b, yaml);
        call(&b, "mx.f.test");
        const struct slice lines[] = {SLICE(BEGIN), SLICE("MAIL FROM:<me@here.test>\r\n"),
                                      SLICE("RCPT TO:<u@f.test>\r\n"), SLICE("DATA\r\n"),
                                      slice_make(body, 805)};
        buf_put_slice(&b.out, buf_slice(&b.session.out));
        buf_reset(&b.session.out);
        for (size_t n = 0; n < 5; n++)
            talk(&b, lines[n], 300);
        codes(&b, text);
        if (strcmp(text, cases[i].codes) != 0 || b.session.want != cases[i].want)
            fail_msg("%s %s: %s, want %d", cases[i].step, cases[i].kind, text, b.session.want);
        uint64_t *count = b.world.truth.count;
        bool all_well = strcmp(cases[i].kind, "early") == 0 && strcmp(cases[i].step, "body") != 0;
        assert_int_equal(count[SIM_EVENT_ACCEPTED], all_well);
        assert_true(count[SIM_EVENT_FAULT] + count[SIM_EVENT_UNANSWERED] == 1);
        hang_up(&b);
        done(&b);
    }
}

static void faults_keep_to_their_bounds(void **state) {
    (void)state;
    static const struct {
        const char *fault;
        const char *outcome; /* of six mails to one address, each in a session of its own */
    } cases[] = {{"{step: rcpt, do: \"421\", attempts: 2}", "ffaaaa"},
                 {"{step: rcpt, do: \"421\", every: 3}", "aafaaf"},
                 {"{step: mail, do: \"421\", first: 1}", "faaaaa"},
                 {"{step: dot, do: drop, keeps: never, attempts: 1}", "faaaaa"},
                 {"{step: dot, do: drop, keeps: always, attempts: 1}", "uaaaaa"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        char yaml[300], got[7] = "";
        snprintf(yaml, sizeof yaml,
                 "providers:\n  - {name: f, domains: [f.test], hosts: [mx.f.test], faults: [%s]}\n",
                 cases[i].fault);
        open_text(&b, yaml);
        for (int n = 0; n < 6; n++) {
            uint64_t accepted = b.world.truth.count[SIM_EVENT_ACCEPTED];
            uint64_t unanswered = b.world.truth.count[SIM_EVENT_UNANSWERED];
            call(&b, "mx.f.test");
            talk(&b, SLICE(BEGIN), 100);
            send_mail(&b, "u@f.test", SLICE("a: b\r\n\r\n.\r\n"), 100);
            got[n] = b.world.truth.count[SIM_EVENT_ACCEPTED] > accepted       ? 'a'
                     : b.world.truth.count[SIM_EVENT_UNANSWERED] > unanswered ? 'u'
                                                                              : 'f';
            hang_up(&b);
        }
        if (strcmp(got, cases[i].outcome) != 0) fail_msg("%s: %s", cases[i].fault, got);
        done(&b);
    }
}

static void noise_does_no_harm(void **state) {
    (void)state;
    static const char *const words[] = {"EHLO me\r\n",
                                        "MAIL FROM:<a@b.test>",
                                        "RCPT TO:<u@f.test>",
                                        "DATA\r\n",
                                        "\r\n",
                                        "\r\n.\r\n",
                                        "\n",
                                        "\r",
                                        " SIZE=99999999999",
                                        "RSET\r\n",
                                        ".",
                                        "<\"\\",
                                        "STARTTLS\r\n",
                                        "Message-ID:",
                                        "\x80\xff",
                                        "QUIT\r\n",
                                        "xxxx",
                                        " "};
    struct buf in;
    uint64_t x = 7;
    buf_init(&in, 1 << 20);
    for (int round = 0; round < 3000; round++) {
        struct bench b;
        open_text(&b,
                  "providers:\n  - {name: f, domains: [f.test], hosts: [mx.f.test], tls: {mode: offer}}\n");
        buf_reset(&in);
        for (int n = 0; n < 60; n++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            buf_put_text(&in, words[(x >> 33) % (sizeof words / sizeof *words)]);
        }
        for (size_t n = 0; (x >> 40) % 50 == 0 && n < 5000; n++)
            buf_put_c(&in, 'y');
        call(&b, "mx.f.test");
        buf_reset(&b.session.out);
        talk(&b, SLICE("EHLO me\r\n"), 100);
        talk(&b, buf_slice(&in), 1 + (x >> 50) % 200);
        assert_false(b.out.failed);
        assert_true(b.session.rcpts <= 60);
        hang_up(&b);
        done(&b);
    }
    buf_done(&in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_strike_where_they_should),
        cmocka_unit_test(faults_keep_to_their_bounds),
        cmocka_unit_test(noise_does_no_harm),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
