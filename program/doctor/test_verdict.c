/* Verdicts from facts, in tables. */
#include "verdict.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GB(n) (UINT64_C(n) << 30)
#define MB(n) (UINT64_C(n) << 20)
static const wall_us T0 = INT64_C(1800000000) * US_PER_SEC;

/* result, and words that must stand in what was seen and in what to do ("": nothing is to be done). */
static void expect(const struct verdict *v, enum verdict_result result, const char *seen, const char *mend) {
    if (v->result != result)
        fail_msg("%s, not %s: %s", verdict_name(v->result), verdict_name(result), v->seen);
    if (!strstr(v->seen, seen)) fail_msg("'%s' is not in: %s", seen, v->seen);
    if (!strstr(v->mend, mend)) fail_msg("'%s' is not in: %s", mend, v->mend);
    bool needs = result == VERDICT_ADVICE || result == VERDICT_WRONG;
    assert_int_equal(v->mend[0] != 0, needs);
    assert_int_equal(v->why[0] != 0, needs);
}

static void limits(void **state) {
    struct verdict v;
    (void)state;
    verdict_files(&(struct files_facts){1024, 20000, 2000, 200}, &v);
    expect(&v, VERDICT_GOOD, "2200 are needed", "");
    verdict_files(&(struct files_facts){1024, 2200, 2000, 200}, &v);
    expect(&v, VERDICT_GOOD, "", "");
    verdict_files(&(struct files_facts){1024, 2199, 2000, 200}, &v);
    expect(&v, VERDICT_WRONG, "2199 open files", "LimitNOFILE=2200");
    expect(&v, VERDICT_WRONG, "", "deliver.max_sessions: 1999");
    verdict_files(&(struct files_facts){10, 10, 2000, 200}, &v);
    expect(&v, VERDICT_WRONG, "", "deliver.max_sessions: 1");
    verdict_memory(&(struct memory_facts){GB(4), 2000, MB(16)}, &v);
    expect(&v, VERDICT_GOOD, "4096 MB", "");
    verdict_memory(&(struct memory_facts){MB(300), 2000, MB(16)}, &v);
    expect(&v, VERDICT_ADVICE, "300 MB", "max_sessions");
    verdict_memory(&(struct memory_facts){0, 2000, MB(16)}, &v);
    expect(&v, VERDICT_UNCHECKED, "meminfo", "");
    verdict_ports(&(struct ports_facts){32768, 60999, 2000, 1}, &v);
    expect(&v, VERDICT_GOOD, "28232", "");
    verdict_ports(&(struct ports_facts){32768, 60999, 20000, 1}, &v);
    expect(&v, VERDICT_ADVICE, "20000 sessions", "ip_local_port_range");
    verdict_ports(&(struct ports_facts){32768, 60999, 40000, 1}, &v);
    expect(&v, VERDICT_WRONG, "40000 sessions", "ip_local_port_range");
    verdict_ports(&(struct ports_facts){32768, 60999, 40000, 4}, &v);
    expect(&v, VERDICT_GOOD, "10000 sessions from each", "");
    verdict_ports(&(struct ports_facts){0, 0, 10, 1}, &v);
    expect(&v, VERDICT_UNCHECKED, "", "");
    verdict_workers(0, 4, &v);
    expect(&v, VERDICT_GOOD, "4 workers", "");
    verdict_workers(16, 4, &v);
    expect(&v, VERDICT_ADVICE, "16 workers on 4", "deliver.workers: 0");
}

static void clocks(void **state) {
    struct verdict v;
    (void)state;
    verdict_clock(&(struct clock_facts){.known = true, .synchronised = true}, &v);
    expect(&v, VERDICT_GOOD, "", "");
    verdict_clock(&(struct clock_facts){.known = true}, &v);
    expect(&v, VERDICT_ADVICE, "not synchronised", "set-ntp");
    verdict_clock(&(struct clock_facts){.known = false}, &v);
    expect(&v, VERDICT_UNCHECKED, "", "");
    struct clock_facts f = {.now = T0, .newest = T0 + 60 * US_PER_SEC, .newest_is = "the ledger"};
    verdict_clock_back(&f, &v);
    expect(&v, VERDICT_GOOD, "it is 2027-01-15T08:00:00Z", "");
    f.newest = T0 + 86400 * US_PER_SEC;
    verdict_clock_back(&f, &v);
    expect(&v, VERDICT_WRONG, "the ledger is of 2027-01-16T08:00:00Z", "timedatectl");
    f.newest = 0;
    verdict_clock_back(&f, &v);
    expect(&v, VERDICT_GOOD, "", "");
}

static void disks(void **state) {
    struct verdict v;
    (void)state;
    struct disk_facts f = {"/d", GB(10), MB(64), 100000, 200000, true};
    verdict_disk(&f, &v);
    expect(&v, VERDICT_GOOD, "10240 MB", "");
    f.free_bytes = MB(200);
    verdict_disk(&f, &v);
    expect(&v, VERDICT_ADVICE, "200 MB", "prune");
    f.free_bytes = MB(63);
    verdict_disk(&f, &v);
    expect(&v, VERDICT_WRONG, "63 MB", "history.keep");
    f.free_bytes = MB(100), f.reserve_held = false; /* the reserve is still to be taken */
    verdict_disk(&f, &v);
    expect(&v, VERDICT_WRONG, "128 MB are needed", "prune");
    verdict_inodes(&f, &v);
    expect(&v, VERDICT_GOOD, "100000", "");
    f.free_inodes = 5;
    verdict_inodes(&f, &v);
    expect(&v, VERDICT_WRONG, "5 inodes", "df -i /d");
    f.inodes = f.free_inodes = 0;
    verdict_inodes(&f, &v);
    expect(&v, VERDICT_GOOD, "", "");
    verdict_filesystem(0xef53, "/d", &v);
    expect(&v, VERDICT_GOOD, "", "");
    verdict_filesystem(0x01021994, "/d", &v);
    expect(&v, VERDICT_WRONG, "tmpfs", "store.path");
    verdict_filesystem(0x6969, "/d", &v);
    expect(&v, VERDICT_ADVICE, "NFS", "store.path");
    verdict_filesystem(0xff534d42, "/d", &v);
    expect(&v, VERDICT_ADVICE, "CIFS", "store.path");
    verdict_map(&(struct map_facts){GB(1), GB(64)}, &v);
    expect(&v, VERDICT_GOOD, "1024 MB", "");
    verdict_map(&(struct map_facts){GB(60), GB(64)}, &v);
    expect(&v, VERDICT_ADVICE, "", "store.map_size: 129g");
}

static void access_rights(void **state) {
    static const struct {
        unsigned mode, uid, gid;
        bool folder, secret, write, in_group;
        unsigned user;
        enum verdict_result result;
        const char *mend;
    } cases[] = {
        {0600, 100, 100, false, true, false, false, 100, VERDICT_GOOD, ""},
        {0600, 0, 0, false, true, false, false, 100, VERDICT_WRONG, "chown tsubame"},
        {0640, 0, 7, false, true, false, true, 100, VERDICT_GOOD, ""},
        {0640, 0, 7, false, true, false, false, 100, VERDICT_WRONG, "chown"},
        {0600, 0, 0, false, true, false, false, 0, VERDICT_GOOD, ""}, /* root may */
        {0644, 100, 100, false, true, false, false, 100, VERDICT_WRONG, "o-rwx"},
        {0644, 0, 0, false, false, false, false, 100, VERDICT_GOOD, ""},
        {0646, 0, 0, false, false, false, false, 100, VERDICT_WRONG, "o-w"},
        {0700, 100, 100, true, true, true, false, 100, VERDICT_GOOD, ""},
        {0500, 100, 100, true, true, true, false, 100, VERDICT_WRONG, "u+rwx"},
        {0070, 100, 7, true, false, true, true, 100, VERDICT_WRONG, "u+rwx"}, /* the owner's bits count */
        {0755, 0, 0, true, false, true, false, 100, VERDICT_WRONG, "chown"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct access_facts f = {"/p",          "what",          cases[i].mode,    cases[i].uid,
                                 cases[i].gid,  cases[i].folder, cases[i].secret,  cases[i].write,
                                 cases[i].user, "tsubame",       cases[i].in_group};
        verdict_access(&f, &v);
        expect(&v, cases[i].result, "", cases[i].mend);
    }
}

static void helo_names(void **state) {
    static const struct {
        const char *name;
        enum verdict_result result;
    } cases[] = {{"out1.example.com", VERDICT_GOOD},
                 {"localhost", VERDICT_WRONG},
                 {"localhost.example.com", VERDICT_WRONG},
                 {"mailhost", VERDICT_WRONG},
                 {"192.0.2.1", VERDICT_WRONG},
                 {"[192.0.2.1]", VERDICT_WRONG},
                 {"mx.local", VERDICT_WRONG},
                 {"a.localdomain", VERDICT_WRONG},
                 {"", VERDICT_WRONG},
                 {NULL, VERDICT_WRONG},
                 {"2001:db8::1", VERDICT_WRONG}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        verdict_helo(cases[i].name, "deliver.helo", &v);
        expect(&v, cases[i].result, cases[i].name ? cases[i].name : "",
               cases[i].result ? "deliver.helo:" : "");
    }
}

static struct records_answer found(const char *a, const char *b) {
    struct records_answer answer = {.status = RECORDS_FOUND, .count = b ? 2 : 1};
    answer.values[0] = slice_of(a);
    answer.values[1] = slice_of(b);
    return answer;
}

static struct net_addr addr(const char *text) {
    struct net_addr a;
    assert_true(net_addr_parse(slice_of(text), 0, &a));
    return a;
}

static const struct records_answer none = {.status = RECORDS_NONE}, no_name = {.status = RECORDS_NO_NAME},
                                   silent = {.status = RECORDS_TEMPORARY, .why = "time-out"},
                                   forged = {.status = RECORDS_BOGUS, .why = "signature"};

static void sources(void **state) {
    struct verdict v;
    (void)state;
    struct source_facts f = {.address = addr("198.51.99.7"),
                             .used = addr("198.51.99.7"),
                             .bindable = true,
                             .helo = "o.example.com"};
    verdict_source_address(&f, &v);
    expect(&v, VERDICT_GOOD, "198.51.99.7", "");
    f.bindable = false, f.error = EADDRNOTAVAIL;
    verdict_source_address(&f, &v);
    expect(&v, VERDICT_WRONG, "can't be bound", "ip address add 198.51.99.7/32");
    f.bindable = true, f.used = addr("10.0.0.7");
    verdict_source_address(&f, &v);
    expect(&v, VERDICT_ADVICE, "NAT", "outer address");
    f.private_hosts = true;
    verdict_source_address(&f, &v);
    expect(&v, VERDICT_GOOD, "private", "");
    f.address.family = f.used.family = NET_NONE;
    verdict_source_address(&f, &v);
    expect(&v, VERDICT_ADVICE, "no route", "ip route");
    verdict_source_helo(&f, &v);
    expect(&v, VERDICT_UNCHECKED, "", "");
    verdict_source_reverse(&f, &v);
    expect(&v, VERDICT_UNCHECKED, "", "");
}

static void source_names(void **state) {
    struct verdict v;
    (void)state;
    struct records_answer right = found("198.51.99.9", "198.51.99.7"), other = found("198.51.99.9", NULL),
                          ptr = found("o.example.com", NULL);
    struct source_facts f = {.used = addr("198.51.99.7"), .helo = "o.example.com", .forward = &right};
    verdict_source_helo(&f, &v);
    expect(&v, VERDICT_GOOD, "leads to 198.51.99.7", "");
    f.forward = &other;
    verdict_source_helo(&f, &v);
    expect(&v, VERDICT_WRONG, "198.51.99.9, not 198.51.99.7", "o.example.com. IN A 198.51.99.7");
    f.forward = &no_name;
    verdict_source_helo(&f, &v);
    expect(&v, VERDICT_WRONG, "NXDOMAIN", "IN A");
    f.forward = &silent;
    verdict_source_helo(&f, &v);
    expect(&v, VERDICT_UNCHECKED, "time-out", "");
    f.forward = NULL;
    verdict_source_helo(&f, &v);
    expect(&v, VERDICT_UNCHECKED, "not asked", "");
    f.reverse = &ptr, f.confirmed = true;
    verdict_source_reverse(&f, &v);
    expect(&v, VERDICT_GOOD, "and back", "");
    f.confirmed = false;
    verdict_source_reverse(&f, &v);
    expect(&v, VERDICT_WRONG, "does not lead back", "7.99.51.198.in-addr.arpa. IN PTR o.example.com.");
    f.reverse = &none;
    verdict_source_reverse(&f, &v);
    expect(&v, VERDICT_WRONG, "no PTR", "IN PTR");
    f.used = addr("2a01:db8::7");
    verdict_source_reverse(&f, &v);
    expect(&v, VERDICT_WRONG, "no PTR", "ip6.arpa. IN PTR");
    assert_non_null(strstr(v.why, "Google"));
    f.reverse = &forged;
    verdict_source_reverse(&f, &v);
    expect(&v, VERDICT_UNCHECKED, "forged", "");
}

static void dkim_records(void **state) {
    static const struct {
        const char *record;
        enum dkim_published is;
        enum verdict_result result;
    } cases[] = {
        {"v=DKIM1; k=rsa; p=QUJD", DKIM_PUBLISHED, VERDICT_GOOD},
        {"p=QU JD", DKIM_PUBLISHED, VERDICT_GOOD}, /* blanks count for nothing, rsa is the default */
        {"v=DKIM1;k=rsa;n=hello;p=QUJD;", DKIM_PUBLISHED, VERDICT_GOOD},
        {"v=DKIM1; t=y:s; p=QUJD", DKIM_PUBLISHED_TEST, VERDICT_ADVICE},
        {"v=DKIM1; t=s; p=QUJD", DKIM_PUBLISHED, VERDICT_GOOD},
        {"v=DKIM1; k=rsa; p=QUJE", DKIM_PUBLISHED_OTHER, VERDICT_WRONG},
        {"v=DKIM1; k=ed25519; p=QUJD", DKIM_PUBLISHED_OTHER, VERDICT_WRONG},
        {"v=DKIM1; p=", DKIM_PUBLISHED_REVOKED, VERDICT_WRONG},
        {"v=DKIM2; p=QUJD", DKIM_PUBLISHED_BROKEN, VERDICT_WRONG},
        {"v=spf1 -all", DKIM_PUBLISHED_BROKEN, VERDICT_WRONG},
        {"hello", DKIM_PUBLISHED_BROKEN, VERDICT_WRONG},
    };
    struct slice wanted = SLICE("v=DKIM1; k=rsa; p=QUJD");
    struct verdict v;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct records_answer a = found(cases[i].record, NULL);
        enum dkim_published is = dkim_published(&a, wanted);
        if (is != cases[i].is) fail_msg("%s: %d", cases[i].record, is);
        verdict_dkim(is, &a, "s._domainkey.d", wanted, &v);
        expect(&v, cases[i].result, "s._domainkey.d", cases[i].result ? "p=QUJD" : "");
    }
    struct records_answer two = found("v=DKIM1; p=QUJD", "other"), elliptic = found("v=DKIM1; p=QUJD", NULL);
    assert_int_equal(dkim_published(&two, wanted), DKIM_PUBLISHED_TWICE);
    assert_int_equal(dkim_published(&elliptic, SLICE("v=DKIM1; k=ed25519; p=QUJD")), DKIM_PUBLISHED_OTHER);
    assert_int_equal(dkim_published(&none, wanted), DKIM_PUBLISHED_NOT);
    assert_int_equal(dkim_published(&no_name, wanted), DKIM_PUBLISHED_NOT);
    assert_int_equal(dkim_published(&silent, wanted), DKIM_PUBLISHED_UNKNOWN);
    verdict_dkim(DKIM_PUBLISHED_UNKNOWN, &silent, "s._domainkey.d", wanted, &v);
    expect(&v, VERDICT_UNCHECKED, "time-out", "");
}

static void dmarc_records(void **state) {
    struct verdict v;
    struct records_answer good = found("other", "v=DMARC1; p=reject"),
                          two = found("v=DMARC1; p=none", "v=DMARC1; p=none"),
                          without = found("v=DMARC1; rua=mailto:a@b", NULL),
                          like = found("v=DMARC12; p=none", NULL);
    (void)state;
    verdict_dmarc(&good, "d.test", &v);
    expect(&v, VERDICT_GOOD, "p=reject", "");
    verdict_dmarc(&two, "d.test", &v);
    expect(&v, VERDICT_WRONG, "several", "_dmarc.d.test");
    verdict_dmarc(&without, "d.test", &v);
    expect(&v, VERDICT_WRONG, "without p=", "p=none");
    verdict_dmarc(&like, "d.test", &v);
    expect(&v, VERDICT_ADVICE, "no DMARC record", "v=DMARC1");
    verdict_dmarc(&no_name, "d.test", &v);
    expect(&v, VERDICT_ADVICE, "no DMARC record", "v=DMARC1");
    verdict_dmarc(&silent, "d.test", &v);
    expect(&v, VERDICT_UNCHECKED, "", "");
}

static void spf_records(void **state) {
    static const struct {
        const char *record, *second;
        enum verdict_result result;
        const char *seen;
    } cases[] = {
        {"v=spf1 ip4:198.51.99.7 ip6:2a01:db8::/32 ~all", NULL, VERDICT_GOOD, "names the source"},
        {"v=spf1 +ip4:198.51.99.0/24 ip6:2a01:db8::7 -all", NULL, VERDICT_GOOD, "names the source"},
        {"V=SPF1 IP4:198.51.96.0/22 ip6:2a01:db8::7 -all", NULL, VERDICT_GOOD, "names the source"},
        {"v=spf1 ip4:198.51.99.7 -all", NULL, VERDICT_WRONG, "does not name all"},
        {"v=spf1 ip4:198.51.99.0/33 ip6:2a01:db8::7 -all", NULL, VERDICT_WRONG, "does not name all"},
        {"v=spf1 -all", NULL, VERDICT_WRONG, "does not name all"},
        {"v=spf1 include:x.test -all", NULL, VERDICT_UNCHECKED, "not followed"},
        {"v=spf1 mx -all", NULL, VERDICT_UNCHECKED, "not followed"},
        {"v=spf1 ip4:198.51.99.7 +all", NULL, VERDICT_WRONG, "allows everybody"},
        {"v=spf1 -all", "v=spf1 mx -all", VERDICT_WRONG, "2 SPF records"},
        {"v=spf10 -all", NULL, VERDICT_WRONG, "no SPF record"},
    };
    struct net_addr both[] = {addr("198.51.99.7"), addr("2a01:db8::7")};
    struct verdict v;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct records_answer a = found(cases[i].record, cases[i].second);
        verdict_spf(&a, "d.test", both, 2, &v);
        expect(&v, cases[i].result, cases[i].seen,
               cases[i].result == VERDICT_WRONG ? "v=spf1 ip4:198.51.99.7 ip6:2a01:db8::7" : "");
    }
    struct records_answer a = found("v=spf1 -all", NULL);
    verdict_spf(&a, "d.test", NULL, 0, &v);
    expect(&v, VERDICT_UNCHECKED, "no public source", "");
    verdict_spf(&none, "d.test", both, 2, &v);
    expect(&v, VERDICT_WRONG, "no SPF record", "ip4:");
}

static void resolvers(void **state) {
    struct verdict v;
    struct resolver_facts f = {&none, 5000, "a.test", "127.0.0.1:53"};
    (void)state;
    verdict_resolver(&f, &v);
    expect(&v, VERDICT_GOOD, "in 5 ms", "");
    f.took_us = 3000000;
    verdict_resolver(&f, &v);
    expect(&v, VERDICT_ADVICE, "3000 ms", "unbound");
    f.answer = &silent;
    verdict_resolver(&f, &v);
    expect(&v, VERDICT_WRONG, "time-out", "dns.servers");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),        cmocka_unit_test(clocks),       cmocka_unit_test(disks),
        cmocka_unit_test(access_rights), cmocka_unit_test(helo_names),   cmocka_unit_test(sources),
        cmocka_unit_test(source_names),  cmocka_unit_test(dkim_records), cmocka_unit_test(dmarc_records),
        cmocka_unit_test(spf_records),   cmocka_unit_test(resolvers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
