/* Limits as a client meets them: at which step, in which words, with which cause; and what the statistics say
 * of it. */
#include "sim_gate.h"
#include "test_sim_talk.h"

#include <stdlib.h>

static const char scenario_text[] =
    "seed: 4\n"
    "providers:\n"
    "  - {name: late, domains: [late.test], hosts: [mx.late.test], limits: {connections: 1, connections_at: "
    "mail}}\n"
    "  - {name: rcpt, domains: [rcpt.test], hosts: [mx.rcpt.test], limits: {rate: 1, rate_at: rcpt, "
    "rate_closes: true}}\n"
    "  - {name: data, domains: [data.test], hosts: [mx.data.test], limits: {rate: 1, rate_at: data}, "
    "extensions: {chunking: true}}\n"
    "  - {name: dot, domains: [dot.test], hosts: [mx.dot.test], limits: {rate: 1, rate_at: dot}, manner: "
    "qq}\n"
    "  - {name: door, domains: [door.test], hosts: [mx.door.test], limits: {rate: 1, rate_at: greeting}}\n"
    "  - {name: quota, domains: [quota.test], hosts: [mx.quota.test], limits: {daily: 2}, users: {unknown: "
    "0.5}}\n"
    "  - {name: box, domains: [box.test], hosts: [mx.box.test], limits: {mailbox: 2}, manner: google}\n"
    "  - {name: void, domains: [void.test], hosts: [mx.void.test], limits: {session_recipients: 2, "
    "session_voids: true}}\n"
    "  - {name: knock, domains: [knock.test], hosts: [mx.knock.test], limits: {connections: 1}, knocking: "
    "{after: 2, block: 30}}\n"
    "  - {name: change, domains: [change.test], hosts: [mx.change.test], limits: {connections: 1},\n"
    "     changes: [{at: 1m, limits: {connections: 2}}]}\n"
    "  - name: groups\n"
    "    domains: [groups.test]\n"
    "    hosts: [{name: a1.groups.test, group: a}, {name: a2.groups.test, group: a}, {name: b.groups.test, "
    "group: b}]\n"
    "    groups: [{name: a, limits: {connections: 1}}, {name: b, limits: {connections: 2}}]\n"
    "  - {name: hosts, domains: [hosts.test], hosts: [x.hosts.test, y.hosts.test], limits: {counts: host, "
    "connections: 1}}\n"
    "  - {name: net, domains: [net.test], hosts: [mx.net.test], limits: {client: net, connections: 1}}\n"
    "  - {name: out, domains: [out.test], hosts: [mx.out.test], maintenance: [{at: 10, for: 10, how: "
    "\"421\"}]}\n"
    "  - {name: gone, domains: [gone.test], hosts: [mx.gone.test], maintenance: [{at: 10, for: 10, how: "
    "refuse}]}\n"
    "  - {name: grey, domains: [grey.test], hosts: [mx.grey.test], greylist: {share: 1, delay: 90, "
    "names_delay: true}}\n"
    "  - {name: judge, domains: [judge.test], hosts: [mx.judge.test], users: {unknown: 1},\n"
    "     reputation: {unknown: 5, block_for: 10m, block_for_good: true}}\n"
    "  - {name: spam, domains: [spam.test], hosts: [mx.spam.test], refuse: {content: 1}}\n"
    "  - {name: shut, domains: [shut.test], hosts: [mx.shut.test], refuse: {connect: 1}}\n"
    "  - {name: slow, domains: [slow.test], hosts: [mx.slow.test], latency: {read: 10000}}\n"
    "  - {name: tar, domains: [tar.test], hosts: [mx.tar.test], latency: {tarpit: 100, jitter: 0}}\n"
    "  - {name: shared, domains: {pattern: \"d{}.shared.test\", count: 1000},\n"
    "     hosts: {shared: 10, pattern: \"h{}.hosting.test\", each: 2}, manners: {exim: 1, postfix: 1}, "
    "limits: {connections: 1}}\n";

#define FROM "MAIL FROM:<me@here.test>\r\n"

static const struct sim_pool *pool_of(const struct bench *b, const char *name) {
    for (size_t i = 0; i < b->scenario.providers; i++)
        if (slice_eq(b->scenario.provider[i].name, slice_of(name)))
            return &b->world.stats.pool[b->scenario.provider[i].first_pool];
    fail_msg("no provider %s", name);
    return NULL;
}

static uint64_t times(const struct bench *b, const char *provider, const char *cause) {
    for (int i = 0; sim_cause_names[i]; i++)
        if (strcmp(sim_cause_names[i], cause) == 0) return pool_of(b, provider)->total.cause[i];
    fail_msg("no cause %s", cause);
    return 0;
}

/* A second connection beside the first, which stays; gives what it says. */
static const char *beside(struct bench *b, const char *host, const char *in, char text[400]) {
    struct sim_session first = b->session;
    call(b, host);
    buf_put_slice(&b->out, buf_slice(&b->session.out));
    buf_reset(&b->session.out);
    if (*in) talk(b, SLICE(BEGIN), 100);
    talk(b, slice_of(in), 1000);
    hang_up(b);
    b->session = first;
    return codes(b, text);
}

static void hello(struct bench *b, const char *host) {
    call(b, host);
    talk(b, SLICE(BEGIN), 100);
    buf_reset(&b->out);
}

static void each_limit_answers_at_its_step(void **state) {
    (void)state;
    static const struct {
        const char *host, *to, *second, *cause; /* second: what the second mail at once is told */
        bool closes;
    } cases[] = {
        {"mx.rcpt.test", "u@rcpt.test", "250 450", "limit.rate", true},
        {"mx.data.test", "u@data.test", "250 250 450", "limit.rate", false},
        {"mx.dot.test", "u@dot.test", "250 250 354 550", "limit.rate", false},
    };
    char text[400], mail[200];
    struct bench b;
    open_text(&b, scenario_text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hello(&b, cases[i].host);
        assert_string_equal(send_mail(&b, cases[i].to, SLICE("a: b\r\n.\r\n"), 100), "250");
        buf_reset(&b.out);
        snprintf(mail, sizeof mail, FROM "RCPT TO:<%s>\r\n", cases[i].to);
        talk(&b, slice_of(mail), 1000);
        if (strlen(cases[i].second) > 7) talk(&b, SLICE("DATA\r\n"), 100);
        if (strlen(cases[i].second) > 11) talk(&b, SLICE("a: b\r\n.\r\n"), 100);
        assert_string_equal(codes(&b, text), cases[i].second);
        assert_int_equal(b.session.want == SIM_WANT_CLOSE, cases[i].closes);
        const char *name = strchr(cases[i].to, '@') + 1;
        char provider[20];
        snprintf(provider, sizeof provider, "%.*s", (int)strcspn(name, "."), name);
        assert_int_equal(times(&b, provider, cases[i].cause), 1);
        hang_up(&b);
    }
    hello(&b,
          "mx.data.test"); /* the same by BDAT: a second has passed for nobody, the octets are thrown away */
    talk(&b, SLICE(FROM "RCPT TO:<u@data.test>\r\nBDAT 6\r\na: b\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n"), 1000);
    assert_string_equal(codes(&b, text), "250 250 450 503 250");
    assert_int_equal(times(&b, "data", "limit.rate"), 2);
    hang_up(&b);
    /* at the greeting: once its token is gone, nobody new is let in until it is back */
    hello(&b, "mx.door.test");
    assert_string_equal(send_mail(&b, "u@door.test", SLICE("a: b\r\n.\r\n"), 100), "250");
    assert_string_equal(beside(&b, "mx.door.test", "", text), "450");
    b.world.now += US_PER_SEC;
    assert_string_equal(beside(&b, "mx.door.test", "", text), "220");
    hang_up(&b);
    /* let in, and told at MAIL */
    hello(&b, "mx.late.test");
    assert_string_equal(beside(&b, "mx.late.test", FROM, text), "220 250 421");
    assert_int_equal(pool_of(&b, "late")->total.turned_away, 1);
    assert_int_equal(pool_of(&b, "late")->total.attempts, 2);
    hang_up(&b);
    done(&b);
}

/* A pipelining client has sent the rest when its MAIL is refused: no error of its own, and the session stays.
 */
static void what_follows_a_refusal_is_no_error(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.quota.test");
    b.world.site[b.session.site].today = 2;
    for (int n = 0; n < 30; n++) {
        buf_reset(&b.out);
        talk(&b, SLICE(FROM "RCPT TO:<u@quota.test>\r\nDATA\r\n"), 1000);
        assert_string_equal(codes(&b, text), "450 503 503");
    }
    assert_int_equal(times(&b, "quota", "limit.daily"), 30);
    assert_int_equal(times(&b, "quota", "protocol"), 0);
    buf_reset(&b.out);
    talk(&b, SLICE("RSET\r\n"), 100);
    talk(&b, SLICE("DATA\r\n"), 100); /* this one is */
    assert_string_equal(codes(&b, text), "250 503");
    assert_int_equal(times(&b, "quota", "protocol"), 1);
    hang_up(&b);
    done(&b);
}

static void a_quota_counts_what_is_accepted(void **state) {
    (void)state;
    char to[40];
    int accepted = 0, deferred = 0;
    struct bench b;
    open_text(&b, scenario_text);
    for (int n = 0; n < 20; n++) {
        snprintf(to, sizeof to, "u%d@quota.test", n);
        hello(&b, "mx.quota.test");
        const char *last = send_mail(&b, to, SLICE("a: b\r\n.\r\n"), 100);
        accepted += strcmp(last, "250") == 0;
        hang_up(&b);
    }
    deferred = (int)times(&b, "quota", "limit.daily");
    assert_int_equal(accepted, 2);
    assert_in_range(deferred, 5, 17); /* those refused as unknown used none of it */
    b.world.sim_wall += US_PER_DAY;
    hello(&b, "mx.quota.test");
    talk(&b, SLICE(FROM), 100);
    char text[400];
    assert_string_equal(codes(&b, text), "250");
    hang_up(&b);
    done(&b);
}

static void one_mailbox_is_not_the_provider(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.box.test");
    talk(&b,
         SLICE(FROM "RCPT TO:<a@box.test>\r\nRCPT TO:<a@box.test>\r\nRCPT TO:<A@box.test>\r\nRCPT "
                    "TO:<b@box.test>\r\n"),
         1000);
    assert_string_equal(codes(&b, text), "250 250 250 450 250");
    assert_int_equal(times(&b, "box", "limit.mailbox"), 1);
    talk(&b, SLICE("RSET\r\n"), 100);
    b.world.now += 3600 * US_PER_SEC;
    buf_reset(&b.out);
    talk(&b, SLICE(FROM "RCPT TO:<a@box.test>\r\n"), 1000);
    assert_string_equal(codes(&b, text), "250 250");
    hang_up(&b);
    done(&b);
}

static void who_brings_too_many_loses_all(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.void.test");
    assert_string_equal(send_mail(&b, "a@void.test", SLICE("Message-ID: <1@x>\r\n\r\n.\r\n"), 100), "250");
    assert_string_equal(send_mail(&b, "b@void.test", SLICE("Message-ID: <2@x>\r\n\r\n.\r\n"), 100), "250");
    buf_reset(&b.out);
    talk(&b, SLICE(FROM "RCPT TO:<c@void.test>\r\n"), 1000);
    talk(&b, SLICE("RSET\r\n"), 100);
    talk(&b, SLICE(FROM), 100);
    assert_string_equal(codes(&b, text), "250 554 250 554");
    assert_int_equal(b.world.truth.count[SIM_EVENT_WITHDRAWN], 2);
    hang_up(&b);
    done(&b);
}

static void knocking_is_punished(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.knock.test");
    for (int i = 0; i < 4; i++)
        assert_string_equal(beside(&b, "mx.knock.test", "", text), "421");
    assert_int_equal(times(&b, "knock", "limit.connections"), 2);
    assert_int_equal(times(&b, "knock", "knocking"), 2);
    hang_up(&b);
    b.world.now += 59 * US_PER_SEC;
    hello(&b, "mx.knock.test"); /* 30 seconds, and twice 30 more for the knocks: still shut */
    assert_int_equal(times(&b, "knock", "knocking"), 3);
    hang_up(&b);
    b.world.now += 121 * US_PER_SEC;
    hello(&b, "mx.knock.test");
    assert_int_equal(times(&b, "knock", "knocking"), 3);
    hang_up(&b);
    done(&b);
}

static void groups_hosts_and_nets_count_apart(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "a1.groups.test");
    assert_string_equal(beside(&b, "a2.groups.test", "", text), "421");
    assert_string_equal(beside(&b, "b.groups.test", "", text), "220");
    hang_up(&b);
    assert_int_equal(pool_of(&b, "groups")[1].total.attempts, 2);
    assert_int_equal(pool_of(&b, "groups")[2].total.attempts, 1);
    hello(&b, "x.hosts.test");
    assert_string_equal(beside(&b, "x.hosts.test", "", text), "421");
    assert_string_equal(beside(&b, "y.hosts.test", "", text), "220");
    hang_up(&b);
    hello(&b, "mx.net.test");
    struct sim_session first = b.session, other;
    struct sim_name name = sim_names_find(&b.scenario, SLICE("mx.net.test"));
    for (uint32_t n = 0; n < 2; n++) { /* of the same /24, and of another */
        sim_smtp_init(&other, &b.world, &name, sim_names_address(&name), 0x7f000002 + 256 * n);
        sim_smtp_feed(&other, (struct slice){0});
        assert_memory_equal(other.out.at, n ? "220" : "421", 3);
        sim_smtp_done(&other);
    }
    b.session = first;
    hang_up(&b);
    done(&b);
}

static void limits_move(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.change.test");
    assert_string_equal(beside(&b, "mx.change.test", "", text), "421");
    b.world.now = 60 * US_PER_SEC;
    assert_string_equal(beside(&b, "mx.change.test", "", text), "220");
    hang_up(&b);
    done(&b);
}

static void hosts_go_out_of_service(void **state) {
    (void)state;
    char text[400];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.out.test");
    b.world.now = 15 * US_PER_SEC;
    assert_string_equal(beside(&b, "mx.out.test", "", text), "421");
    talk(&b, SLICE(FROM), 100); /* who is inside is told too */
    assert_string_equal(codes(&b, text), "421 421");
    assert_int_equal(times(&b, "out", "maintenance"), 2);
    hang_up(&b);
    call(&b, "mx.gone.test");
    assert_int_equal(b.session.want, SIM_WANT_RESET);
    assert_int_equal(b.session.out.len, 0);
    hang_up(&b);
    b.world.now = 20 * US_PER_SEC;
    call(&b, "mx.gone.test");
    assert_int_equal(b.session.want, SIM_WANT_INPUT);
    hang_up(&b);
    done(&b);
}

static void delays_are_named_in_real_time(void **state) {
    (void)state;
    struct bench b;
    open_text(&b, scenario_text);
    b.world.clock.speed = 3;
    hello(&b, "mx.grey.test");
    talk(&b, SLICE(FROM "RCPT TO:<u@grey.test>\r\n"), 1000);
    assert_true(slice_find_nocase(buf_slice(&b.out), SLICE("try again in 30 seconds")) >= 0);
    assert_int_equal(times(&b, "grey", "greylist"), 1);
    hang_up(&b);
    done(&b);
}

static void who_knows_nobody_is_blocked(void **state) {
    (void)state;
    char text[400], rcpt[60];
    struct bench b;
    open_text(&b, scenario_text);
    hello(&b, "mx.judge.test");
    talk(&b, SLICE(FROM), 100);
    for (int n = 0; n < 5; n++) {
        snprintf(rcpt, sizeof rcpt, "RCPT TO:<u%d@judge.test>\r\n", n);
        talk(&b, slice_of(rcpt), 100);
    }
    hang_up(&b);
    assert_int_equal(times(&b, "judge", "unknown"), 5);
    call(&b, "mx.judge.test");
    assert_memory_equal(b.session.out.at, "554", 3);
    hang_up(&b);
    b.world.now += 601 * US_PER_SEC;
    call(&b, "mx.judge.test");
    assert_memory_equal(b.session.out.at, "220", 3);
    hang_up(&b);
    hello(&b, "mx.spam.test");
    assert_string_equal(send_mail(&b, "u@spam.test", SLICE("a: b\r\n.\r\n"), 100), "550");
    assert_int_equal(times(&b, "spam", "content"), 1);
    hang_up(&b);
    call(&b, "mx.shut.test");
    assert_memory_equal(b.session.out.at, "554", 3);
    assert_int_equal(times(&b, "shut", "chance"), 1);
    hang_up(&b);
    (void)text;
    done(&b);
}

static void slow_readers_and_tarpits_take_their_time(void **state) {
    (void)state;
    struct bench b;
    struct buf content;
    open_text(&b, scenario_text);
    buf_init(&content, 1 << 20);
    for (int i = 0; i < 500; i++)
        buf_put_text(&content,
                     "a line of one hundred characters, no more and no less, which is here again and again, "
                     "as long as..\r\n");
    buf_put_text(&content, ".\r\n");
    hello(&b, "mx.slow.test");
    sim_us before = b.world.now;
    assert_string_equal(send_mail(&b, "u@slow.test", buf_slice(&content), 1 << 20), "250");
    assert_in_range(b.world.now - before, 4700000, 5300000); /* 50 KB at 10 KB/s */
    hang_up(&b);
    hello(&b, "mx.tar.test");
    before = b.world.now;
    assert_string_equal(send_mail(&b, "u@tar.test", SLICE("a: b\r\n.\r\n"), 100), "250");
    assert_in_range(b.world.now - before, 999000, 1001000); /* 100, 200, 300 and 400 ms */
    hang_up(&b);
    buf_done(&content);
    done(&b);
}

static void domains_share_hosts(void **state) {
    (void)state;
    char name[256], line[300], text[400];
    int count[10] = {0}, exim = 0;
    struct bench b;
    open_text(&b, scenario_text);
    for (int d = 0; d < 1000; d++) {
        snprintf(name, sizeof name, "d%d.shared.test", d);
        struct sim_name domain = sim_names_find(&b.scenario, slice_of(name));
        uint32_t preference;
        assert_int_equal(domain.kind, SIM_NAME_DOMAIN);
        assert_int_equal(sim_mx_count(&domain), 2);
        struct sim_name mx = sim_mx(&domain, 1, &preference);
        assert_true(mx.domain < 10);
        count[mx.domain]++;
        struct sim_name at = sim_names_at(&b.scenario, sim_names_address(&mx));
        size_t len = sim_host_name(&at, name);
        struct sim_name again = sim_names_find(&b.scenario, slice_make(name, len));
        assert_true(again.kind == SIM_NAME_HOST && again.domain == mx.domain && again.host == 1);
        if (d % 100) continue;
        name[len] = 0;
        hello(&b, name); /* it takes its domains' mail, and no other's */
        exim += strcmp(sim_manner_names[b.session.manner], "exim") == 0;
        snprintf(line, sizeof line, FROM "RCPT TO:<u@d%d.shared.test>\r\n", d);
        talk(&b, slice_of(line), 1000);
        assert_string_equal(codes(&b, text), "250 250");
        hang_up(&b);
    }
    assert_true(count[0] > 3 * count[9] && count[9] > 10); /* a few big ones, many small ones */
    assert_in_range(exim, 1, 9);
    assert_int_equal(b.world.sites <= 10, true);
    done(&b);
}

static void statistics_tell_how_much_was_used(void **state) {
    (void)state;
    struct bench b;
    struct slice line, rest;
    char *text = NULL;
    size_t len = 0;
    open_text(&b, scenario_text);
    b.world.now = 0;
    hello(&b, "mx.data.test");
    for (int n = 0; n < 5; n++) {
        b.world.now += 2 * US_PER_SEC;
        assert_string_equal(send_mail(&b, "u@data.test", SLICE("a: b\r\n.\r\n"), 100), "250");
    }
    hang_up(&b);
    sim_stats_count(&b.world.stats, b.world.site, b.world.sites, b.world.now);
    FILE *f = open_memstream(&text, &len);
    sim_stats_json(&b.world.stats, false, b.world.now, 5, f);
    sim_stats_json(&b.world.stats, false, b.world.now, 5, f); /* nothing more has happened */
    fclose(f);
    rest = slice_make(text, len);
    assert_true(slice_cut(&rest, '\n', &line));
    assert_int_equal(rest.len, 0);
    assert_true(slice_find_nocase(
                    line, SLICE("\"rate\": {\"passed\": 5.000, \"permitted\": 10.000, \"use\": 0.5000}")) >
                0);
    assert_true(slice_find_nocase(line, SLICE("\"recipients\": {\"accepted\": 5}")) > 0);
    assert_true(slice_find_nocase(line, SLICE("\"peak\": 1, \"mean\": 1.000}")) > 0);
    free(text);
    done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_answers_at_its_step),
        cmocka_unit_test(what_follows_a_refusal_is_no_error),
        cmocka_unit_test(a_quota_counts_what_is_accepted),
        cmocka_unit_test(one_mailbox_is_not_the_provider),
        cmocka_unit_test(who_brings_too_many_loses_all),
        cmocka_unit_test(knocking_is_punished),
        cmocka_unit_test(groups_hosts_and_nets_count_apart),
        cmocka_unit_test(limits_move),
        cmocka_unit_test(hosts_go_out_of_service),
        cmocka_unit_test(delays_are_named_in_real_time),
        cmocka_unit_test(who_knows_nobody_is_blocked),
        cmocka_unit_test(slow_readers_and_tarpits_take_their_time),
        cmocka_unit_test(domains_share_hosts),
        cmocka_unit_test(statistics_tell_how_much_was_used),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
