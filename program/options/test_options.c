/* Every kind of malformed configuration: the exact words and places that a person gets to see. */
#include "options.h"
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *said(struct buf *b) {
    buf_put_c(b, 0);
    return b->failed ? "(failed)" : b->at;
}

struct bad {
    const char *yaml;
    const char *says;
};

#define DURATION_WORDS "expected a duration such as 30s, 5m or 2h"

static const struct bad bad[] = {
    {"dns:\n  severs: 127.0.0.1\n", "t.yaml:2:11: dns.severs: unknown key (did you mean dns.servers?)\n"},
    {"dsn:\n  servers: 127.0.0.1\n", "t.yaml:2:3: dsn: unknown key (did you mean dns?)\n"},
    {"port: 25\n", "t.yaml:1:7: port: unknown key (did you mean deliver.port?)\n"},
    {"dns:\n  port: 25\n", "t.yaml:2:9: dns.port: unknown key (did you mean deliver.port?)\n"},
    {"zebra: 1\n", "t.yaml:1:8: zebra: unknown key (`tsubame config defaults` lists all)\n"},
    {"deliver:\n  idle: x\n", "t.yaml:2:9: deliver.idle: " DURATION_WORDS ", got 'x'\n"},
    {"deliver:\n  idle: 5\n", "t.yaml:2:9: deliver.idle: " DURATION_WORDS ", got '5'\n"},
    {"deliver:\n  idle: 5m1h\n", "t.yaml:2:9: deliver.idle: " DURATION_WORDS ", got '5m1h'\n"},
    {"deliver:\n  idle: -5s\n", "t.yaml:2:9: deliver.idle: " DURATION_WORDS ", got '-5s'\n"},
    {"deliver:\n  idle: 1h\n", "t.yaml:2:9: deliver.idle: must be from 0s to 5m, got '1h'\n"},
    {"deliver:\n  idle: {a: 1}\n", "t.yaml:2:9: deliver.idle: " DURATION_WORDS ", got a section\n"},
    {"deliver:\n  idle: [1s]\n", "t.yaml:2:9: deliver.idle: " DURATION_WORDS ", got a list\n"},
    {"deliver.idle:\n", "t.yaml:1:14: deliver.idle: " DURATION_WORDS ", got nothing\n"},
    {"history.max_size: 20\n",
     "t.yaml:1:19: history.max_size: at least 4k, or 0 for no limit, got 20 bytes (20g is with a unit)\n"},
    {"deliver:\n\tport: 25\n", "t.yaml:2:1: a tab: YAML wants blanks at the beginning of a line\n"},
    {"deliver.port: 0\n", "t.yaml:1:15: deliver.port: must be from 1 to 65535, got '0'\n"},
    {"deliver.port: 65536\n", "t.yaml:1:15: deliver.port: must be from 1 to 65535, got '65536'\n"},
    {"deliver.port: -1\n", "t.yaml:1:15: deliver.port: must be from 1 to 65535, got '-1'\n"},
    {"deliver.port: smtp\n",
     "t.yaml:1:15: deliver.port: expected a whole number from 1 to 65535, got 'smtp'\n"},
    {"deliver.port: 2.5\n",
     "t.yaml:1:15: deliver.port: expected a whole number from 1 to 65535, got '2.5'\n"},
    {"deliver.port: 99999999999999999999\n",
     "t.yaml:1:15: deliver.port: expected a whole number from 1 to 65535, got '99999999999999999999'\n"},
    {"deliver.retry.factor: 1,5\n",
     "t.yaml:1:23: deliver.retry.factor: expected a number such as 1.5, from 1 to 10, got '1,5'\n"},
    {"deliver.retry.factor: 0.5\n", "t.yaml:1:23: deliver.retry.factor: must be from 1 to 10, got '0.5'\n"},
    {"deliver.retry: {first: 2h, most: 1h}\n",
     "t.yaml:1:34: deliver.retry.first must not be longer than deliver.retry.most\n"},
    {"deliver.retry: {first: 5h}\n",
     "t.yaml:1:24: deliver.retry.first must not be longer than deliver.retry.most\n"},
    {"store.map_size: 1k\n", "t.yaml:1:17: store.map_size: must be from 16m to 16t, got '1k'\n"},
    {"store.map_size: 1.5g\n",
     "t.yaml:1:17: store.map_size: expected a size such as 64k, 16m or 2g, got '1.5g'\n"},
    {"store.map_size: 1gb\n",
     "t.yaml:1:17: store.map_size: expected a size such as 64k, 16m or 2g, got '1gb'\n"},
    {"store.map_size: 999999999999999t\n",
     "t.yaml:1:17: store.map_size: expected a size such as 64k, 16m or 2g, got '999999999999999t'\n"},
    {"store: /var/lib/tsubame\n",
     "t.yaml:1:8: store: expected a section with keys of its own, such as store.path\n"},
    {"store: [a]\n", "t.yaml:1:8: store: expected a section with keys of its own, such as store.path\n"},
    {"store.path: ''\n", "t.yaml:1:13: store.path: expected a path, got nothing\n"},
    {"store.path:\n", "t.yaml:1:12: store.path: expected a path, got nothing\n"},
    {"tls.mode: maybe\n",
     "t.yaml:1:11: tls.mode: expected one of off, opportunistic, required, got 'maybe'\n"},
    {"log.outcomes: yes\n", "t.yaml:1:15: log.outcomes: expected true or false, got 'yes'\n"},
    {"log.outcomes: 'true'\n", "t.yaml:1:15: log.outcomes: expected true or false, got 'true'\n"},
    {"control.mode: 0980\n", "t.yaml:1:15: control.mode: expected a file mode such as 0660, got '0980'\n"},
    {"control.mode: 07777\n", "t.yaml:1:15: control.mode: must be from 0000 to 0777, got '07777'\n"},
    {"deliver.helo: -x\n",
     "t.yaml:1:15: deliver.helo: expected a domain name such as mail.example.com, got '-x'\n"},
    {"deliver.helo: \"a\\nb\"\n",
     "t.yaml:1:15: deliver.helo: expected a domain name such as mail.example.com, got 'a?b'\n"},
    {"deliver.helo: \"a\\r\\nt.yaml:9:9: forged \\e[2J\"\n",
     "t.yaml:1:15: deliver.helo: expected a domain name such as mail.example.com, "
     "got 'a??t.yaml:9:9: forged ?[2J'\n"},
    {"\"de\\nliver\": 1\n", "t.yaml:1:14: de?liver: unknown key (did you mean deliver?)\n"},
    {"run.user: \"a\\0b\"\n", "t.yaml:1:11: NUL in a value\n"},
    {"metrics.listen: localhost:9\n",
     "t.yaml:1:17: metrics.listen: expected off or an address such as 127.0.0.1:9725, got 'localhost:9'\n"},
    {"dns.servers: [127.0.0.1, nonsense]\n",
     "t.yaml:1:26: dns.servers: expected addresses such as 192.0.2.1 or [127.0.0.1:5353, \"[::1]:53\"], got "
     "'nonsense'\n"},
    {"dns.servers: [127.0.0.1, '127.0.0.1:53']\n",
     "t.yaml:1:26: dns.servers: '127.0.0.1:53' is here twice\n"},
    {"dns.servers: [[127.0.0.1]]\n", "t.yaml:1:15: dns.servers: expected addresses such as 192.0.2.1 or "
                                     "[127.0.0.1:5353, \"[::1]:53\"], got a "
                                     "list\n"},
    {"dns.servers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4, 1.1.1.5, 1.1.1.6, 1.1.1.7, 1.1.1.8, 1.1.1.9]\n",
     "t.yaml:1:14: dns.servers: must have from 0 to 8 items, got 9\n"},
    {"deliver.bind: 192.0.2.1:25\n",
     "t.yaml:1:15: deliver.bind: expected addresses such as 192.0.2.1 or [192.0.2.1, 2001:db8::1], got "
     "'192.0.2.1:25'\n"},
    {"deliver.port: 25\ndeliver.port: 26\n",
     "t.yaml:2:1: the key 'deliver.port' is here twice (first in line 1)\n"},
    {"deliver:\n  port: 25\ndeliver.port: 26\n",
     "t.yaml:3:15: deliver.port is here twice (first in line 2)\n"},
    {"- deliver\n", "t.yaml:1:1: expected keys such as deliver.port, got a list\n"},
    {"deliver\n", "t.yaml:1:1: expected keys such as deliver.port, got a single value\n"},
    {"providers: x\n", "t.yaml:1:12: providers: expected a list of sections, got 'x'\n"},
    {"providers: {name: x}\n", "t.yaml:1:12: providers[0].mx is missing\n"},
    {"providers: [x]\n", "t.yaml:1:13: providers[0]: expected a section with keys such as name\n"},
    {"providers:\n- name: a\n  mx: []\n",
     "t.yaml:3:7: providers[0].mx: must have from 1 to 64 items, got 0\n"},
    {"providers:\n- name: a\n", "t.yaml:2:3: providers[0].mx is missing\n"},
    {"providers:\n- mx: .a.example\n", "t.yaml:2:3: providers[0].name is missing\n"},
    {"providers:\n- {name: a, mx: .a.example}\n- {name: a, mx: .b.example}\n",
     "t.yaml:3:3: providers[1].name: 'a' is here twice (first in line 2)\n"},
    {"providers:\n- name: a\n  mx: .a.example\n  limits:\n    conections: 3\n",
     "t.yaml:5:17: providers[0].limits.conections: unknown key (did you mean "
     "providers[0].limits.connections?)\n"},
    {"providers:\n- name: a\n  mx: '..a'\n", "t.yaml:3:7: providers[0].mx: expected a list of names such as "
                                             "[.example.com, mx.example.net], got '..a'\n"},
    {"providers:\n- {name: a, mx: .com}\n",
     "t.yaml:2:3: providers[0].mx: '.com' has one label only: too many names end so\n"},
    {"providers:\n- {name: a, mx: .co.uk}\n",
     "t.yaml:2:3: providers[0].mx: '.co.uk' is a registry: too many names end so\n"},
    {"providers:\n- {name: a, mx: .a.example}\n- {name: b, mx: .A.example}\n",
     "t.yaml:3:3: providers[1].mx: '.A.example' is in providers[0] already\n"},
    {"providers:\n- {name: other, mx: .a.example}\n",
     "t.yaml:2:3: providers[0].mx: other is whoever nobody knows, and has none\n"},
    {"profiles: false\nproviders:\n- name: google\n", "t.yaml:3:3: providers[0].mx is missing\n"},
    {"providers:\n- {name: google, by: host}\n",
     "t.yaml:2:22: providers[0].by: expected one of provider, site, got 'host'\n"},
    {"providers:\n- {name: google, limits: {connections: -1}}\n",
     "t.yaml:2:40: providers[0].limits.connections: must be from 0 to 10000, got '-1'\n"},
    {"providers:\n- {name: google, limits: {connections: .nan}}\n",
     "t.yaml:2:40: providers[0].limits.connections: expected a whole number from 0 to 10000, got '.nan'\n"},
    {"profiles: maybe\n", "t.yaml:1:11: profiles: expected true or false, got 'maybe'\n"},
    {"providers:\n- name: a\n  name: b\n", "t.yaml:3:3: the key 'name' is here twice (first in line 2)\n"},
    {"sources: [{address: 192.0.2.1}]\ndeliver.bind: 192.0.2.2\n",
     "t.yaml:1:10: sources: give either sources or deliver.bind, not both\n"},
    {"sources: [{address: 192.0.2.1}, {name: 192.0.2.1}]\n",
     "t.yaml:1:33: sources[1].name: '192.0.2.1' is here twice (first in line 1)\n"},
    {"sources: [{proxy.address: '192.0.2.9:1080'}]\n",
     "t.yaml:1:11: sources[0].proxy.protocol is missing: haproxy or socks5\n"},
    {"sources: [{proxy: {protocol: socks5}}]\n", "t.yaml:1:11: sources[0].proxy.address is missing\n"},
    {"sources: [{proxy: {protocol: socks4, address: '192.0.2.9:1080'}}]\n",
     "t.yaml:1:30: sources[0].proxy.protocol: expected one of none, haproxy, socks5, got 'socks4'\n"},
    {"sources: [{proxy: {protocol: socks5, address: 192.0.2.9}}]\n",
     "t.yaml:1:47: sources[0].proxy.address: expected an address with its port such as 192.0.2.1:1080 or "
     "\"[2001:db8::1]:1080\", got '192.0.2.9'\n"},
    {"sources: [{proxy: {protocol: socks5, address: 'proxy.example:1080'}}]\n",
     "t.yaml:1:47: sources[0].proxy.address: expected an address with its port such as 192.0.2.1:1080 or "
     "\"[2001:db8::1]:1080\", got 'proxy.example:1080'\n"},
    {"sources: [{proxy: {protocol: haproxy, address: '192.0.2.9:5000'}}]\n",
     "t.yaml:1:11: sources[0].address is missing: the proxy is told to send from it\n"},
    {"sources: [{address: 192.0.2.1, proxy: {protocol: haproxy, address: '192.0.2.9:5000', user: u, "
     "password_file: /dev/null}}]\n",
     "t.yaml:1:11: sources[0].proxy: there is no log-in with haproxy\n"},
    {"sources: [{proxy: {protocol: socks5, address: '192.0.2.9:1080', user: u}}]\n",
     "t.yaml:1:11: sources[0].proxy: user and password_file go together\n"},
    {"sources: [{proxy: {protocol: socks5, address: '192.0.2.9:1080', user: u, password_file: "
     "/nonexistent/p}}]\n",
     "t.yaml:1:11: sources[0].proxy.password_file: /nonexistent/p: No such file or directory\n"},
    {"dkim.domain: example.com\n", "t.yaml:1:14: dkim.domain: dkim is a list of sections: - domain: ...\n"},
    {"dkim: {domain: example.com}\n", "t.yaml:1:7: dkim[0].selector is missing\n"},
    {"dkim: [{domain: e.com, selector: a}]\n", "t.yaml:1:8: dkim[0].key_file is missing\n"},
    {"dkim: {domain: example.com, selector: a, key_file: /nonexistent/key.pem}\n",
     "t.yaml:1:7: dkim[0].key_file: /nonexistent/key.pem: No such file or directory\n"},
    {"dkim: {domain: e.com, selector: a, key_file: /dev/null, from: 2026-07-01, until: "
     "2026-07-01T00:00:00Z}\n",
     "t.yaml:1:7: dkim[0].until must be later than dkim[0].from\n"},
    {"dkim: {domain: e.com, selector: a, key_file: /dev/null, from: tomorrow}\n",
     "t.yaml:1:63: dkim[0].from: expected a time such as 2026-07-01T00:00:00Z, got 'tomorrow'\n"},
    {"control.socket: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "a\n",
     "t.yaml:1:17: control.socket: the path is longer than the 100 bytes that a Unix socket takes: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "a\n"},
    {"a: &x 1\nb: *x\n", "t.yaml:2:4: aliases are not taken here\n"},
    {"deliver: {port: 1\n", "t.yaml:2:1: did not find expected ',' or '}'\n"},
    {"deliver:\n  port: x\n  idle: y\nfoo: 1\n",
     "t.yaml:2:9: deliver.port: expected a whole number from 1 to 65535, got 'x'\n"
     "t.yaml:3:9: deliver.idle: " DURATION_WORDS ", got 'y'\n"
     "t.yaml:4:6: foo: unknown key (did you mean log?)\n"},
};

static void malformed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf problems;
        buf_init(&problems, 65536);
        struct options *o = options_parse(slice_of(bad[i].yaml), "t.yaml", &problems);
        const char *text = said(&problems);
        if (o || strcmp(text, bad[i].says) != 0)
            print_message("%s\n--- got\n%s--- wanted\n%s", bad[i].yaml, text, bad[i].says);
        assert_null(o);
        assert_string_equal(text, bad[i].says);
        buf_done(&problems);
    }
}

static struct options *good(const char *yaml, const char *name) {
    struct buf problems;
    buf_init(&problems, 65536);
    struct options *o = options_parse(slice_of(yaml), name, &problems);
    if (!o) fail_msg("%s", said(&problems));
    buf_done(&problems);
    return o;
}

static void values(void **state) {
    (void)state;
    struct options *o =
        good("store: {path: data, map_size: 1t}\n"
             "dns:\n  servers: [127.0.0.1:5353, '::1', '[::1]:5300']\n"
             "deliver.port: 2525\ndeliver:\n  idle: 1m30s\n  retry: {factor: 1.25}\n"
             "  helo: out.example.com\n  bind: [127.0.0.2, 127.0.0.3]\n"
             "limits: {connections: 7}\ntls.mode: off\n"
             "providers:\n- name: big\n  mx: [.big.example, mx.other.example]\n"
             "  limits.messages_per_second: 50\n"
             "- {name: small, mx: .small.example, tls: required, bdat: false, limits: {connections: 0}}\n"
             "control.mode: 600\nmetrics.listen: off\nlog:\n",
             "/etc/tsubame/t.yaml");
    assert_string_equal(o->store.path, "/etc/tsubame/data");
    assert_string_equal(o->control.socket, "/etc/tsubame/data/control.sock");
    assert_true(o->store.map_size == INT64_C(1) << 40);
    assert_int_equal(o->dns.servers.count, 3);
    assert_int_equal(o->dns.servers.at[0].port, 5353);
    assert_int_equal(o->dns.servers.at[1].port, 53);
    assert_int_equal(o->dns.servers.at[2].port, 5300);
    assert_int_equal(o->deliver.port, 2525);
    assert_int_equal(o->deliver.idle, 90000000);
    assert_true(o->deliver.retry.factor == 1.25);
    assert_int_equal(o->tls.mode, OPTION_TLS_OFF);
    assert_int_equal(o->control.mode, 0600);
    assert_int_equal(o->metrics.listen.family, NET_NONE);
    const struct option_provider *p = o->providers.at;
    assert_int_equal(o->providers.count, 2);
    assert_int_equal(p[0].mx.count, 2);
    assert_int_equal(p[0].limits.connections, 7);
    assert_int_equal(p[0].limits.messages_per_second, 50);
    assert_int_equal(p[0].limits.messages_per_connection, 0);
    assert_int_equal(p[0].tls, OPTION_TLS_OFF);
    assert_int_equal(p[1].tls, OPTION_TLS_REQUIRED);
    assert_true(p[0].bdat && !p[1].bdat);
    assert_int_equal(p[1].limits.connections, 0);
    const struct option_source *s = o->sources.at;
    assert_int_equal(o->sources.count, 2);
    assert_string_equal(s[1].name, "127.0.0.3");
    assert_string_equal(s[1].helo, "out.example.com");
    options_free(o);
}

static const struct profile *known(const struct options *o, const char *name) {
    return profile_named(o->known, o->known_count, slice_of(name));
}

static const struct option_way *way(const struct options *o, const char *name) {
    return &o->ways[known(o, name) - o->known];
}

/* What is in force of the configuration's providers and the built-in ones. */
static void providers_in_force(void **state) {
    (void)state;
    struct options *o = good("", "t.yaml");
    size_t builtin = o->known_count;
    assert_true(builtin > 20);
    assert_true(known(o, "google")->limits[PROFILE_CONNECTIONS].bounds.start == 5);
    assert_true(known(o, "google")->limits[PROFILE_CONNECTIONS].bounds.ceiling == 0);
    assert_null(known(o, "other"));
    assert_true(o->other.limits[PROFILE_PER_CONNECTION].bounds.start == 100);
    assert_int_equal(way(o, "google")->tls, OPTION_TLS_OPPORTUNISTIC);
    options_free(o);

    o = good("tls.mode: off\nlimits: {connections: 6, messages_per_second: 7}\n"
             "providers:\n- {name: orange, limits: {connections: 20, messages_per_connection: 10}}\n"
             "- {name: big, mx: .big.example, by: site, tls: required, limits: {messages_per_second: 0}}\n"
             "- {name: yahoo, mx: .elsewhere.example}\n- {name: qq, tls: off}\n"
             "- {name: other, limits.connections: 2}\n",
             "t.yaml");
    assert_int_equal(o->known_count, builtin + 1);
    const struct profile *p = known(o, "orange");
    assert_true(p->own && p->suffix_count == 1);
    assert_string_equal(p->suffixes[0], ".orange.fr");
    assert_true(p->limits[PROFILE_CONNECTIONS].bounds.ceiling ==
                20); /* its own word goes before what is known */
    assert_true(p->limits[PROFILE_CONNECTIONS].bounds.start == 2);
    assert_int_equal(p->limits[PROFILE_CONNECTIONS].from, PROFILE_FROM_OWN);
    assert_true(p->limits[PROFILE_PER_CONNECTION].bounds.ceiling == 10);
    assert_true(p->limits[PROFILE_PER_CONNECTION].bounds.start == 10); /* 100, but for the ceiling */
    assert_true(p->limits[PROFILE_NEW_CONNECTIONS].bounds.ceiling == 16);
    assert_int_equal(p->limits[PROFILE_NEW_CONNECTIONS].from, PROFILE_FROM_PROVIDER);
    p = known(o, "big");
    assert_true(p->own && p->by_site && p->limits[PROFILE_RATE].bounds.ceiling == 0);
    assert_true(p->limits[PROFILE_CONNECTIONS].bounds.ceiling == 6);
    assert_int_equal(way(o, "big")->tls, OPTION_TLS_REQUIRED);
    assert_string_equal(known(o, "yahoo")->suffixes[0], ".elsewhere.example");
    assert_null(profile_of_host(o->known, o->known_count, SLICE("mta5.am0.yahoodns.net")));
    p = known(o, "google"); /* a bound for all holds beside what is known */
    assert_true(!p->own && p->limits[PROFILE_CONNECTIONS].bounds.ceiling == 6);
    assert_true(p->limits[PROFILE_RATE].bounds.ceiling == 7 && p->limits[PROFILE_RATE].bounds.start == 7);
    assert_true(known(o, "apple")->limits[PROFILE_CONNECTIONS].bounds.ceiling == 6);
    assert_true(known(o, "comcast")->limits[PROFILE_CONNECTIONS].bounds.ceiling == 6);
    assert_int_equal(way(o, "google")->tls, OPTION_TLS_OPPORTUNISTIC); /* it wants it */
    assert_int_equal(way(o, "yahoo")->tls, OPTION_TLS_OFF);
    assert_int_equal(way(o, "qq")->tls, OPTION_TLS_OFF);
    assert_true(o->other.limits[PROFILE_CONNECTIONS].bounds.ceiling == 2);
    assert_true(o->other.limits[PROFILE_CONNECTIONS].bounds.start == 2);
    for (size_t i = 0; i < o->known_count; i++)
        for (int n = 0; n < PROFILE_NUMBERS; n++)
            assert_null(profile_bounds_fault((enum profile_number)n, &o->known[i].limits[n].bounds));
    options_free(o);

    o = good("profiles: false\nproviders: [{name: google, mx: .google.test}]\n", "t.yaml");
    assert_int_equal(o->known_count, 1);
    assert_true(o->known[0].limits[PROFILE_CONNECTIONS].bounds.start ==
                o->other.limits[PROFILE_CONNECTIONS].bounds.start);
    options_free(o);
}

static void sets(void **state) {
    (void)state;
    struct buf problems;
    buf_init(&problems, 65536);
    const char *const fine[] = {"deliver.port=26",
                                "dns.servers=[127.0.0.1:1, 127.0.0.2]",
                                "dkim=[{domain: e.com, selector: a, key_file: /dev/null, until: 2027-01-01}]",
                                "providers=[{name: a, mx: .a.example}]",
                                "metrics.listen=[::1]:80",
                                "deliver.port=27"};
    struct options *o = options_load(NULL, fine, 6, &problems);
    assert_non_null(o);
    assert_int_equal(o->deliver.port, 27);
    assert_int_equal(o->dns.servers.count, 2);
    assert_int_equal(o->providers.count, 1);
    assert_int_equal(o->metrics.listen.port, 80);
    const struct option_dkim *key = o->dkim.at;
    assert_int_equal(o->dkim.count, 1);
    assert_int_equal(key->from, 0);
    assert_true(key->until == INT64_C(1798761600000000));
    assert_false(key->any_from);
    assert_string_equal(o->store.path, "tsubame-data");
    struct buf shown;
    buf_init(&shown, 65536);
    options_show(o, &shown);
    assert_non_null(strstr(said(&shown), "  port: 27  # --set\n"));
    buf_done(&shown);
    options_free(o);
    const char *const wrong[] = {"deliver.port", "deliver.prt=1", "deliver.port=x", "dns.servers=[a]",
                                 "dns.servers=[a: b: c]"};
    assert_null(options_load(NULL, wrong, 5, &problems));
    assert_string_equal(said(&problems),
                        "--set: expected KEY=VALUE such as deliver.port=2525, got 'deliver.port'\n"
                        "--set: deliver.prt: unknown key (did you mean deliver.port?)\n"
                        "--set: deliver.port: expected a whole number from 1 to 65535, got 'x'\n"
                        "--set: dns.servers: expected addresses such as 192.0.2.1 or [127.0.0.1:5353, "
                        "\"[::1]:53\"], got 'a'\n"
                        "--set: dns.servers: value:1:6: did not find expected ',' or ']'\n");
    buf_reset(&problems);
    assert_null(options_load("/nonexistent/t.yaml", NULL, 0, &problems));
    assert_string_equal(said(&problems), "/nonexistent/t.yaml: No such file or directory\n");
    buf_done(&problems);
}

/* What `config defaults` and `config show` print reads back as the same. */
static void round_trips(void **state) {
    (void)state;
    struct buf text, one, two;
    buf_init(&text, 1 << 20);
    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    struct options *empty = good("", "t.yaml");
    options_show(empty, &one);
    struct options *shown = good(said(&one), "t.yaml");
    options_defaults(&text);
    struct options *o = good(said(&text), "t.yaml");
    size_t count;
    const struct option *table = options_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].type == OPTION_RECORDS) continue;
        buf_reset(&one);
        buf_reset(&two);
        option_put_value(&table[i], empty, &one);
        option_put_value(&table[i], o, &two);
        assert_string_equal(said(&one), said(&two));
        buf_reset(&two);
        option_put_value(&table[i], shown, &two);
        buf_put_c(&two, 0);
        assert_string_equal(one.at, two.at);
    }
    options_free(empty);
    options_free(shown);
    options_free(o);
    buf_done(&text);
    buf_done(&one);
    buf_done(&two);
}

/* The table itself: no key twice, no key that is another's section, all explained. */
static void table_is_sound(void **state) {
    (void)state;
    size_t count;
    const struct option *table = options_table(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(table[i].fallback || table[i].unset);
        assert_true(strlen(table[i].help) > 10);
        for (size_t j = 0; j < count; j++) {
            size_t n = strlen(table[i].key);
            if (i != j)
                assert_false(strncmp(table[i].key, table[j].key, n) == 0 && strchr(".", table[j].key[n]));
        }
    }
}

static void units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } durations[] = {{"0s", 0},
                     {"500ms", 500000},
                     {"30s", 30000000},
                     {"1m", 60000000},
                     {"1h30m", INT64_C(5400000000)},
                     {"5d", INT64_C(432000000000)}};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        int64_t us;
        struct buf b;
        buf_init(&b, 64);
        assert_true(units_duration(slice_of(durations[i].text), &us));
        assert_true(us == durations[i].us);
        units_put_duration(&b, us);
        assert_string_equal(said(&b), durations[i].text);
        buf_done(&b);
    }
    static const char *const bad_durations[] = {
        "", "s", "5", "1s1s", "1 s", "1s ", "1.5s", "9999999999999999s", "999999999999999d", "1sm"};
    int64_t us;
    for (size_t i = 0; i < sizeof bad_durations / sizeof bad_durations[0]; i++)
        assert_false(units_duration(slice_of(bad_durations[i]), &us));
    static const struct {
        const char *text;
        wall_us t;
        const char *shown; /* NULL: the same */
    } times[] = {{"1970-01-01T00:00:01Z", US_PER_SEC, NULL},
                 {"2026-07-01", INT64_C(1782864000000000), "2026-07-01T00:00:00Z"},
                 {"2026-07-01T02:00:00+02:00", INT64_C(1782864000000000), "2026-07-01T00:00:00Z"},
                 {"2026-06-30t19:30:00-04:30", INT64_C(1782864000000000), "2026-07-01T00:00:00Z"},
                 {"2026-07-01 00:00:00.25z", INT64_C(1782864000250000), "2026-07-01T00:00:00.250000Z"},
                 {"2024-02-29T23:59:60Z", INT64_C(1709251200000000), "2024-03-01T00:00:00Z"},
                 {"2000-02-29T00:00:00Z", INT64_C(951782400000000), NULL},
                 {"2100-12-31T23:59:59Z", INT64_C(4133980799000000), NULL},
                 {"9999-12-31T23:59:59Z", INT64_C(253402300799000000), NULL}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        wall_us t = 0;
        struct buf b;
        buf_init(&b, 64);
        if (!units_time(slice_of(times[i].text), &t) || t != times[i].t)
            fail_msg("%s: %lld", times[i].text, (long long)t);
        units_put_time(&b, t);
        assert_string_equal(said(&b), times[i].shown ? times[i].shown : times[i].text);
        buf_done(&b);
    }
    static const char *const bad_times[] = {"",
                                            "2026",
                                            "2026-7-1",
                                            "2026-02-29",
                                            "2100-02-29",
                                            "2026-13-01",
                                            "2026-00-01",
                                            "2026-01-00",
                                            "1969-12-31",
                                            "1970-01-01",
                                            "2026-01-01T",
                                            "2026-01-01T00:00:00",
                                            "2026-01-01T24:00:00Z",
                                            "2026-01-01T00:60:00Z",
                                            "2026-01-01T00:00:61Z",
                                            "2026-01-01T00:00:00.Z",
                                            "2026-01-01T00:00:00+0100",
                                            "2026-01-01T00:00:00+01:60",
                                            "2026-01-01T00:00:00Zx",
                                            "2026-01-01x",
                                            "1970-01-01T00:00:00+01:00"};
    for (size_t i = 0; i < sizeof bad_times / sizeof bad_times[0]; i++)
        if (units_time(slice_of(bad_times[i]), &us)) fail_msg("%s was taken", bad_times[i]);
    struct buf b;
    buf_init(&b, 64);
    units_put_grouped(&b, 1234567);
    buf_put_c(&b, ' ');
    units_put_grouped(&b, 0);
    buf_put_c(&b, ' ');
    units_put_grouped(&b, 999);
    buf_put_c(&b, ' ');
    units_put_left(&b, 7503);
    buf_put_c(&b, ' ');
    units_put_left(&b, 83);
    assert_string_equal(said(&b), "1,234,567 0 999 2h5m 1m23s");
    buf_done(&b);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed), cmocka_unit_test(values),      cmocka_unit_test(providers_in_force),
        cmocka_unit_test(sets),      cmocka_unit_test(round_trips), cmocka_unit_test(table_is_sound),
        cmocka_unit_test(units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
