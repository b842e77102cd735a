/* Scenarios, names and DNS packets: what is read, what is refused and with which words, and what hostile
 * packets do. */
#include "sim_dns.h"
#include "sim_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("'%s' does not hold '%s'", text, part);
}

static void wrong_scenarios_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "t.yaml:1:1: a scenario needs a list of 'providers'"},
        {"[1]", "t.yaml:1:1: a scenario needs a list of 'providers'"},
        {"providers: []", "t.yaml:1:12: 'providers' must list 1 to"},
        {"providers: 5", "t.yaml:1:12: 'providers' must be a list"},
        {"sed: 5\nproviders: []", "t.yaml:1:6: unknown key 'sed' in a scenario"},
        {"seed: -5\nproviders: []", "t.yaml:1:7: 'seed' must be a whole number"},
        {"providers:\n  - {name: a}", "t.yaml:2:5: provider 'a' needs 'domains'"},
        {"providers:\n  - {domains: [a.test]}", "t.yaml:2:5: a provider needs a 'name'"},
        {"providers:\n  - {name: a, domains: [a.test], hots: []}", "unknown key 'hots' in a provider"},
        {"providers:\n  - {name: a, domains: []}", "'domains' is empty"},
        {"providers:\n  - {name: a, domains: [A.test]}", "'A.test' is not a domain name"},
        {"providers:\n  - {name: a, domains: [-a.test]}", "'-a.test' is not a domain name"},
        {"providers:\n  - {name: a, domains: [test]}", "'test' is not a domain name"},
        {"providers:\n  - {name: a, domains: [a..test]}", "'a..test' is not a domain name"},
        {"providers:\n  - {name: a, domains: [a.b.c.d.e.f.g.h.i.test]}", "is not a domain name"},
        {"providers:\n  - {name: a, domains: {pattern: d.test, count: 3}}", "must hold {}"},
        {"providers:\n  - {name: a, domains: {pattern: \"d{}x.test\", count: 3}}", "must hold {}"},
        {"providers:\n  - {name: a, domains: {pattern: \"d{}.t.test\"}}", "needs pattern and a count"},
        {"providers:\n  - {name: a, domains: [a.test], hosts: [nodots]}", "'nodots' is not a domain name"},
        {"providers:\n  - {name: a, domains: [a.test], hosts: {own: 10}}",
         "'own' must be a whole number from 0 to 9"},
        {"providers:\n  - {name: a, domains: [a.test], limits: 5}", "'limits' must be a map"},
        {"providers:\n  - {name: a, domains: [a.test], limits: {rate: fast}}",
         "'rate' must be a number from 0 to"},
        {"providers:\n  - {name: a, domains: [a.test], limits: {rte: 1}}", "unknown key 'rte' in 'limits'"},
        {"providers:\n  - {name: a, domains: [a.test], users: {full: 1.1}}",
         "'full' must be a number from 0 to 1"},
        {"providers:\n  - {name: a, domains: [a.test], users: {full: 0.6, unknown: 0.6}}",
         "together are more than 1"},
        {"providers:\n  - {name: a, domains: [a.test], tls: {mode: yes}}",
         "must be one of: off, offer, require"},
        {"providers:\n  - {name: a, domains: [a.test], faults: [{step: dot}]}",
         "a fault needs 'step' and 'do'"},
        {"providers:\n  - {name: a, domains: [a.test], faults: [{step: dot, do: burn}]}",
         "'do' must be one of"},
        {"providers:\n  - {name: a, domains: [a.test], faults: [{step: connect, do: half}]}",
         "cannot happen at"},
        {"providers:\n  - {name: a, domains: [a.test], faults: [{step: greeting, do: early}]}",
         "after the greeting"},
        {"providers:\n  - {name: a, domains: [a.test], replies: {unknown: nope}}", "must be a reply such as"},
        {"providers:\n  - {name: a, domains: [a.test], replies: {unknown: \"550-a\\n551 b\"}}",
         "must be a reply"},
        {"providers:\n  - {name: a, domains: [a.test]}\n  - {name: b, domains: [a.test]}",
         "t.yaml:3:1: the name 'a.test' of provider 'b' is already used by 'a'"},
        {"providers:\n  - {name: a, domains: {pattern: \"d{}.t.test\", count: 8000000}, hosts: {own: 9}}",
         "needs more hosts than 127.0.0.0/8 has left"},
        {"providers:\n  - {name: a, domains: [a.test], changes: [{at: 1}]}",
         "t.yaml:2:44: a change needs 'at' and 'limits'"},
        {"providers:\n  - {name: a, domains: [a.test], changes: [{at: 1x, limits: {}}]}",
         "'at' must be a time such as"},
        {"providers:\n  - {name: a, domains: [a.test], changes: [{at: 2, limits: {rate: 1}}, {at: 2, limits: "
         "{}}]}",
         "in order of their times"},
        {"providers:\n  - {name: a, domains: [a.test], changes: [{at: 2, limits: {counts: host}}]}",
         "'counts' and 'client' cannot change"},
        {"providers:\n  - {name: a, domains: [a.test], changes: [{at: 2, limits: {rte: 1}}]}",
         "unknown key 'rte' in 'limits'"},
        {"providers:\n  - {name: a, domains: [a.test], groups: [{limits: {rate: 1}}]}",
         "a group needs a 'name'"},
        {"providers:\n  - {name: a, domains: [a.test], hosts: [{name: mx.a.test, group: g}]}",
         "host 'mx.a.test' is of group 'g', which is not among"},
        {"providers:\n  - {name: a, domains: [a.test], maintenance: [{at: 1}]}",
         "maintenance needs 'at' and 'for'"},
        {"providers:\n  - {name: a, domains: [a.test], maintenance: [{at: \"25:00\", for: 1}]}",
         "must be a time of day such as 03:30"},
        {"providers:\n  - {name: a, domains: [a.test], maintenance: [{at: 1, for: 1, hosts: [b.test]}]}",
         "'b.test' is not among the hosts"},
        {"providers:\n  - {name: a, domains: [a.test], maintenance: [{at: 1, for: 5, every: 5}]}",
         "'every' must be longer"},
        {"providers:\n  - {name: a, domains: [a.test], manners: {nobody: 1}}",
         "unknown key 'nobody' in 'manners'"},
        {"providers:\n  - {name: a, domains: [a.test], manners: {exim: 0}}", "all shares of 'manners' are 0"},
        {"providers:\n  - {name: a, domains: [a.test], hosts: {shared: 5}}",
         "needs shared and pattern together"},
        {"providers:\n  - {name: a, domains: [a.test], limits: {rate_at: ehlo}}",
         "must be one of: greeting, mail, rcpt, data, dot"},
        {"providers:\n  - {name: a, domains: [a.test], limits: {messages_at: greeting}}",
         "cannot be the greeting"},
        {"providers:\n  - {name: a, domains: [a.test], limits: {connections: 1.5}}",
         "must be a whole number"},
        {"providers:\n  - {name: a, domains: [a.test], dns: {mode: implicit}, hosts: {shared: 5, pattern: "
         "\"h{}.b.test\"}}",
         "'hosts' cannot be shared"},
        {"time: {speed: 0}\nproviders: []", "'speed' must be a number from 0.01"},
        {"time: {start: noon}\nproviders: []", "'start' must be a time of day"},
        {"time: {zone: x}\nproviders: []", "unknown key 'zone' in 'time'"},
        {"defaults: {name: x}\nproviders:\n  - {name: a, domains: [a.test]}",
         "unknown key 'name' in 'defaults'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_scenario s;
        struct err err = {0};
        if (sim_scenario_parse(&s, slice_of(cases[i].text), "t.yaml", &err) == 0)
            fail_msg("taken: %s", cases[i].text);
        assert_has(err.text, cases[i].error);
        sim_scenario_done(&s);
    }
}

static const char world_text[] =
    "seed: 9\n"
    "defaults: {limits: {connections: 3}, dns: {ttl: 77}}\n"
    "providers:\n"
    "  - {name: big, domains: [big.test, other.test], hosts: [{name: mx1.big.test, preference: 5}, "
    "mx2.big.test],\n"
    "     weight: 2.5, replies: {unknown: \"550-5.1.1 no\\n550 5.1.1 such {rcpt}\"}}\n"
    "  - {name: tail, domains: {pattern: \"d{}.tail.test\", count: 300000}, hosts: {own: 2}, limits: "
    "{connections: 0}}\n"
    "  - name: whole\n"
    "    domains: [whole.test]\n"
    "    hosts: [{name: mx1.whole.test, group: a}, mx2.whole.test]\n"
    "    limits: {rate: 2.5, rate_at: dot, rate_closes: true, daily_resets: \"16:30\"}\n"
    "    changes: [{at: 1.5m, limits: {rate: 9}}]\n"
    "    groups: [{name: a, limits: {connections: 7}}]\n"
    "    maintenance: [{at: \"03:00\", for: 1h}, {at: 9, for: 1, every: 5m, how: timeout, hosts: "
    "[mx2.whole.test]}]\n"
    "    manners: {exim: 3, postfix: 1}\n"
    "    greylist: {share: 0.5, delay: 2m}\n"
    "  - {name: hosted, domains: {pattern: \"k{}.hosted.test\", count: 50}, hosts: {shared: 4, pattern: "
    "\"p{}.host.test\", "
    "each: 3, sizes: even, dead: 0.5}}\n"
    "  - {name: none, domains: [none.test], dns: {mode: null-mx}}\n"
    "  - {name: bare, domains: [bare.test], dns: {mode: implicit, ipv6: dead}}\n"
    "  - {name: gone, domains: [gone.test], dns: {mode: nxdomain}}\n"
    "  - {name: sick, domains: [sick.test], dns: {mode: servfail}}\n"
    "  - {name: mute, domains: [mute.test], dns: {mode: silent}}\n"
    "  - {name: shut, domains: [shut.test], dns: {mode: refused}}\n"
    "  - {name: lame, domains: [lame.test], dns: {mode: lame}}\n"
    "  - {name: cut, domains: [cut.test], dns: {truncate: true}}\n"
    "  - {name: half, domains: {pattern: \"h{}.half.test\", count: 1000}, dns: {servfail: 0.5}}\n";

static void open_world(struct sim_scenario *s) {
    struct err err = {0};
    if (sim_scenario_parse(s, slice_of(world_text), "world.yaml", &err)) fail_msg("%s", err.text);
}

static void a_scenario_is_what_it_says(void **state) {
    (void)state;
    struct sim_scenario s, again;
    struct buf out, twice;
    struct err err = {0};
    open_world(&s);
    assert_int_equal(s.seed, 9);
    assert_int_equal(s.provider[0].rules.limits.most[SIM_LIMIT_CONNECTIONS], 3);
    assert_int_equal(s.provider[1].rules.limits.most[SIM_LIMIT_CONNECTIONS], 0);
    assert_true(s.provider[0].weight == 2.5);
    const struct sim_provider *whole = &s.provider[2];
    assert_true(whole->rules.changes == 1 && whole->rules.change[0].at_s == 90);
    assert_true(whole->rules.change[0].limits.most[SIM_LIMIT_RATE] == 9 &&
                whole->rules.change[0].limits.closes[SIM_LIMIT_RATE]);
    assert_true(whole->group[0].rules.limits.most[SIM_LIMIT_CONNECTIONS] == 7);
    assert_true(whole->group[0].rules.change[0].limits.most[SIM_LIMIT_CONNECTIONS] ==
                7); /* changed on top of its own */
    assert_true(whole->rules.limits.daily_resets_s == 16.5 * 3600 && whole->greylist.delay_s == 120);
    buf_init(&out, 1 << 20);
    buf_init(&twice, 1 << 20);
    sim_scenario_print(&s, &out);
    if (sim_scenario_parse(&again, buf_slice(&out), "printed", &err)) fail_msg("%s", err.text);
    sim_scenario_print(&again, &twice);
    assert_true(slice_eq(buf_slice(&out), buf_slice(&twice)));
    buf_done(&out);
    buf_done(&twice);
    sim_scenario_done(&again);
    sim_scenario_done(&s);
}

static void names_lead_to_addresses_and_back(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum sim_name_kind kind;
    } cases[] = {
        {"big.test", SIM_NAME_DOMAIN},
        {"mx1.big.test", SIM_NAME_HOST},
        {"mx3.big.test", SIM_NAME_ABSENT},
        {"test", SIM_NAME_EMPTY},
        {"tail.test", SIM_NAME_EMPTY},
        {"d0.tail.test", SIM_NAME_DOMAIN},
        {"d00.tail.test", SIM_NAME_ABSENT},
        {"d299999.tail.test", SIM_NAME_DOMAIN},
        {"d300000.tail.test", SIM_NAME_ABSENT},
        {"d.tail.test", SIM_NAME_ABSENT},
        {"d-1.tail.test", SIM_NAME_ABSENT},
        {"mx1.d7.tail.test", SIM_NAME_HOST},
        {"mx2.d7.tail.test", SIM_NAME_HOST},
        {"mx3.d7.tail.test", SIM_NAME_ABSENT},
        {"mx0.d7.tail.test", SIM_NAME_ABSENT},
        {"mx01.d7.tail.test", SIM_NAME_ABSENT},
        {"d99999999999999999999.tail.test", SIM_NAME_ABSENT},
        {"mx1.gone.test", SIM_NAME_HOST},
        {"", SIM_NAME_ABSENT},
    };
    struct sim_scenario s;
    open_world(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim_name n = sim_names_find(&s, slice_of(cases[i].name));
        if (n.kind != cases[i].kind) fail_msg("%s: %d", cases[i].name, n.kind);
        if (n.kind != SIM_NAME_HOST) continue;
        char back[256];
        struct sim_name at = sim_names_at(&s, sim_names_address(&n));
        size_t len = sim_host_name(&at, back);
        assert_true(slice_eq((struct slice){back, len}, slice_of(cases[i].name)));
    }
    assert_int_equal(sim_names_at(&s, 0x7f000001).kind, SIM_NAME_ABSENT);
    assert_int_equal(sim_names_at(&s, 0x7fffffff).kind, SIM_NAME_ABSENT);
    struct sim_name first = sim_names_at(&s, 0x7f010001);
    assert_int_equal(first.kind, SIM_NAME_HOST);
    assert_int_equal(sim_names_at(&s, 0x0a010001).kind, SIM_NAME_ABSENT); /* 10.1.0.1 is somebody real */
    sim_scenario_done(&s);
}

/* A query as bytes. */
static size_t make_query(char out[300], const char *name, unsigned type, bool edns) {
    struct slice rest = slice_of(name), label;
    size_t len = 12;
    memcpy(out, "\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
    while (slice_cut(&rest, '.', &label)) {
        if (!label.len) continue;
        out[len++] = (char)label.len;
        memcpy(out + len, label.at, label.len);
        len += label.len;
    }
    memcpy(out + len, (char[]){0, (char)(type >> 8), (char)type, 0, 1}, 5);
    len += 5;
    if (!edns) return len;
    out[11] = 1;
    memcpy(out + len, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
    return len + 11;
}

enum { A = 1, PTR = 12, MX = 15, TXT = 16, AAAA = 28 };

static void questions_are_answered(void **state) {
    (void)state;
    static const struct {
        const char *name;
        unsigned type;
        int code; /* -1: no answer */
        unsigned answers;
        const char *data; /* somewhere in the answer */
        size_t data_len;
    } cases[] = {
        {"big.test", MX, 0, 2, "\0\5\3mx1\3big\4test\0", 16},
        {"BIG.test", MX, 0, 2, "\3BIG\4test", 9},
        {"big.test", A, 0, 0, NULL, 0},
        {"big.test", TXT, 0, 1, "v=spf1 mx -all", 14},
        {"mx1.big.test", A, 0, 1, "\x7f\1\0\1", 4},
        {"mx1.big.test", AAAA, 0, 0, NULL, 0},
        {"mx1.big.test", MX, 0, 0, NULL, 0},
        {"d12345.tail.test", MX, 0, 2, "\3mx2\6d12345\4tail\4test\0", 22},
        {"d300000.tail.test", MX, 3, 0, NULL, 0},
        {"tail.test", MX, 0, 0, NULL, 0},
        {"nowhere.example", MX, 3, 0, NULL, 0},
        {"none.test", MX, 0, 1, "\0\3\0\0\0", 5},
        {"bare.test", MX, 0, 0, NULL, 0},
        {"bare.test", A, 0, 1, NULL, 0},
        {"bare.test", AAAA, 0, 1, "\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 18},
        {"gone.test", MX, 3, 0, NULL, 0},
        {"sick.test", MX, 2, 0, NULL, 0},
        {"mute.test", MX, -1, 0, NULL, 0},
        {"shut.test", MX, 5, 0, NULL, 0},
        {"lame.test", MX, 0, 1, "no-address-here", 15},
        {"1.0.1.127.in-addr.arpa", PTR, 0, 1, "\3mx1\3big\4test", 13},
        {"1.0.0.127.in-addr.arpa", PTR, 3, 0, NULL, 0},
    };
    struct sim_scenario s;
    char query[300], out[SIM_DNS_UDP_MAX];
    open_world(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int edns = 0; edns < 2; edns++) {
            struct slice q = {query, make_query(query, cases[i].name, cases[i].type, edns)};
            size_t len = sim_dns_answer(&s, 1, q, true, out, sizeof out);
            if ((len == 0) != (cases[i].code < 0)) fail_msg("%s: %zu bytes", cases[i].name, len);
            if (len == 0) continue;
            assert_memory_equal(out, "\x12\x34", 2);
            if ((out[3] & 15) != cases[i].code || (unsigned)out[7] != cases[i].answers)
                fail_msg("%s %u: code %d, %d answers", cases[i].name, cases[i].type, out[3] & 15, out[7]);
            assert_int_equal(out[11], edns);
            if (cases[i].data && !memmem(out, len, cases[i].data, cases[i].data_len))
                fail_msg("%s", cases[i].name);
        }
    sim_scenario_done(&s);
}

static void long_answers_are_cut(void **state) {
    (void)state;
    struct sim_scenario s;
    struct buf text;
    struct err err = {0};
    char query[300];
    static char out[SIM_DNS_TCP_MAX];
    buf_init(&text, 1 << 16);
    buf_put_text(&text, "providers:\n  - name: a\n    domains: [a.test]\n    hosts:\n");
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "      - mx%d.a-rather-long-name-for-a-host.a.test\n", i);
    if (sim_scenario_parse(&s, buf_slice(&text), "t", &err)) fail_msg("%s", err.text);
    for (int edns = 0; edns < 2; edns++) {
        struct slice q = {query, make_query(query, "a.test", MX, edns)};
        size_t len = sim_dns_answer(&s, 1, q, true, out, SIM_DNS_UDP_MAX);
        assert_in_range(len, 12, edns ? SIM_DNS_UDP_MAX : 512);
        assert_true(out[2] & 2);
        assert_int_equal(out[7], 0);
        assert_in_range(sim_dns_answer(&s, 1, q, false, out, sizeof out), 2000, 4000);
        assert_false(out[2] & 2);
        assert_int_equal(out[7], 40);
    }
    buf_done(&text);
    sim_scenario_done(&s);
    open_world(&s);
    struct slice q = {query, make_query(query, "cut.test", MX, true)};
    assert_true(sim_dns_answer(&s, 1, q, true, out, SIM_DNS_UDP_MAX) && (out[2] & 2));
    assert_true(sim_dns_answer(&s, 1, q, false, out, sizeof out) && !(out[2] & 2));
    sim_scenario_done(&s);
}

static void hostile_packets_do_no_harm(void **state) {
    (void)state;
    struct sim_scenario s;
    char query[600], out[SIM_DNS_UDP_MAX];
    open_world(&s);
    size_t whole = make_query(query, "d12345.tail.test", MX, true);
    for (size_t len = 0; len < whole; len++) { /* cut anywhere */
        char *exact = len ? test_malloc(len) : NULL;
        if (len) memcpy(exact, query, len);
        size_t n = sim_dns_answer(&s, 1, (struct slice){exact, len}, true, out, sizeof out);
        if (len < 12) assert_int_equal(n, 0);
        if (len >= 12 && len < whole - 11) assert_int_equal(out[3] & 15, 1);
        if (exact) test_free(exact);
    }
    query[2] |= (char)0x80; /* an answer is not answered */
    assert_int_equal(sim_dns_answer(&s, 1, (struct slice){query, whole}, true, out, sizeof out), 0);
    query[2] = 0x28; /* an UPDATE */
    assert_int_equal(sim_dns_answer(&s, 1, (struct slice){query, whole}, true, out, sizeof out), 12 + 11 * 0);
    assert_int_equal(out[3] & 15, 4);
    query[2] = 1;
    query[12] = (char)0xc0; /* compression in a question */
    sim_dns_answer(&s, 1, (struct slice){query, whole}, true, out, sizeof out);
    assert_int_equal(out[3] & 15, 1);
    memset(query + 12, 63, sizeof query - 12); /* labels without end */
    sim_dns_answer(&s, 1, (struct slice){query, sizeof query}, true, out, sizeof out);
    assert_int_equal(out[3] & 15, 1);
    uint64_t x = 1;
    for (int i = 0; i < 20000; i++) { /* noise with a plausible head */
        for (size_t n = 0; n < 64; n++)
            query[n] =
                (char)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56 & (n < 12 ? 1 : 63));
        query[5] = 1;
        query[4] = 0;
        query[2] = 0;
        size_t n = sim_dns_answer(&s, 1, (struct slice){query, 64}, true, out, sizeof out);
        assert_in_range(n, 12, SIM_DNS_UDP_MAX);
    }
    sim_scenario_done(&s);
}

static void shares_of_domains_fail(void **state) {
    (void)state;
    struct sim_scenario s;
    char query[300], out[SIM_DNS_UDP_MAX], name[40];
    int failed[2] = {0}, same = 0;
    open_world(&s);
    for (int i = 0; i < 1000; i++) {
        int code[2];
        snprintf(name, sizeof name, "h%d.half.test", i);
        for (int seed = 0; seed < 2; seed++) {
            sim_dns_answer(&s, seed, (struct slice){query, make_query(query, name, MX, false)}, true, out,
                           sizeof out);
            failed[seed] += code[seed] = (out[3] & 15) == 2;
        }
        same += code[0] == code[1];
    }
    assert_in_range(failed[0], 420, 580);
    assert_in_range(failed[1], 420, 580);
    assert_in_range(same, 420, 580); /* another seed, other domains */
    sim_scenario_done(&s);
}

static void users_come_in_their_shares(void **state) {
    (void)state;
    struct sim_provider p = {.unknown = 0.1, .full = 0.05};
    int count[3] = {0};
    char address[40];
    for (int i = 0; i < 20000; i++) {
        snprintf(address, sizeof address, "User%d@x.test", i);
        uint64_t key = sim_address_key(5, &p, slice_of(address));
        address[0] = 'u';
        assert_true(key == sim_address_key(5, &p, slice_of(address)));
        count[sim_user_kind(&p, key)]++;
    }
    assert_in_range(count[SIM_USER_UNKNOWN], 1800, 2200);
    assert_in_range(count[SIM_USER_FULL], 850, 1150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_scenarios_are_refused),
        cmocka_unit_test(a_scenario_is_what_it_says),
        cmocka_unit_test(names_lead_to_addresses_and_back),
        cmocka_unit_test(questions_are_answered),
        cmocka_unit_test(long_answers_are_cut),
        cmocka_unit_test(hostile_packets_do_no_harm),
        cmocka_unit_test(shares_of_domains_fail),
        cmocka_unit_test(users_come_in_their_shares),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
