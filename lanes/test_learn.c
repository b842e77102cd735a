/* Lanes that learn, against servers whose limits they don't know, over simulated time: the figures that
 * docs/lanes.md promises. `test_learn --table` prints them all; `test_learn --show NAME` a case second by
 * second. */
#include "learn_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the goals ---- */

/* Who hardly ever connects can't be refused less than once in fifty. */
static bool connects_much(const struct world_case *c, const struct world_result *r) {
    return r->attempts >= 500 && (c->limits.connections == 0 || c->limits.connections >= 3);
}

/* What is turned away whatever is done is no fault; it leaves more tries that come to nothing. */
static bool turned_few(const struct world_case *c, const struct world_result *r) {
    return !connects_much(c, r) || r->turned <= 0.02 + 1.6 * c->limits.connect_chance;
}

/* Within 10 % of the new limit: in seconds where it is fast, in messages where it is slow. */
static bool moved_in_time(const struct world_case *c, const struct world_result *r, double ease) {
    if (c->limits.factor == 0) return true;
    bool up = c->limits.factor > 1;
    if (r->moved_s < 0) return false;
    return r->moved_s <= (up ? 300 : 10) * ease || r->moved_n <= (up ? 500 : 200) * ease;
}

/* A new lane, and work that comes now and then: is it as fast as it can be soon enough? */
static bool is_quick(const struct world_case *c, const struct world_result *r) {
    return (c->first_most == 0 || (r->first_s >= 0 && r->first_s <= c->first_most)) &&
           (c->batch_most == 0 || r->batch_s <= c->batch_most);
}

/* What is wanted of every case. */
static bool meets_goal(const struct world_case *c, const struct world_result *r) {
    return r->use >= 0.95 &&
           r->deferred <= (c->limits.factor > 0 || c->limits.unknown_hurts > 0 ? 0.03 : 0.01) &&
           turned_few(c, r) && r->named >= 0.95 && moved_in_time(c, r, 1) && is_quick(c, r);
}

/* What must hold: the goal, or what the case has of its own where it falls short (docs/lanes.md says why). */
static bool holds(const struct world_case *c, const struct world_result *r) {
    double deferred = c->deferred_most > 0 ? c->deferred_most : c->limits.factor > 0 ? 0.03 : 0.01;
    return r->use >= (c->slack > 0 ? c->slack : 0.945) && r->deferred <= deferred && turned_few(c, r) &&
           r->named >= 0.8 && moved_in_time(c, r, 2.5) && is_quick(c, r);
}

static void print(const struct world_case *c, const struct world_result *r) {
    char moved[64] = "";
    if (c->limits.factor > 0) snprintf(moved, sizeof moved, "%.0f s, %.0f messages", r->moved_s, r->moved_n);
    if (c->batch > 0) snprintf(moved, sizeof moved, "slowest %.0f s", r->batch_s);
    printf("| %-15s | %-24s | %5.3f | %5.2f %% | %4.1f %% of %-6llu | %4.0f s | %3.0f %% | %s | %s\n",
           c->family, c->name, r->use, 100 * r->deferred, 100 * r->turned, (unsigned long long)r->attempts,
           r->first_s, 100 * r->named, moved, meets_goal(c, r) ? "" : "short");
}

/* TSUBAME_LEARN_SEEDS=5: as many runs of each case. */
static void run_family(const char *family) {
    const char *more = getenv("TSUBAME_LEARN_SEEDS");
    uint64_t seeds = more ? strtoull(more, NULL, 10) : 1;
    for (int i = 0; i < (int)learn_case_count; i++) {
        if (strcmp(learn_cases[i].family, family) != 0) continue;
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            struct world_result r;
            world_run(&learn_cases[i], seed, false, &r);
            if (!holds(&learn_cases[i], &r)) print(&learn_cases[i], &r);
            assert_true(holds(&learn_cases[i], &r));
        }
    }
}

#define FAMILY(name, text)                                                                                   \
    static void name(void **state) {                                                                         \
        (void)state;                                                                                         \
        run_family(text);                                                                                    \
    }
FAMILY(connections_at_a_time, "connections")
FAMILY(rates_of_buckets, "bucket")
FAMILY(rates_by_windows, "window")
FAMILY(messages_in_a_connection, "per-connection")
FAMILY(new_connections_a_minute, "new connections")
FAMILY(daily_quota, "quota")
FAMILY(a_limit_halves, "halves")
FAMILY(a_limit_doubles, "doubles")
FAMILY(reputation_moves, "reputation")
FAMILY(greylisting_is_no_limit, "greylisting")
FAMILY(groups_of_servers, "groups")
FAMILY(chance_is_no_limit, "random 4xx")
FAMILY(chance_does_not_hold_back_a_new_lane, "new, by chance")
FAMILY(chance_does_not_hold_back_small_campaigns, "campaigns, by chance")
FAMILY(an_outage, "outage")
FAMILY(postfix_takes_five, "postfix5")
FAMILY(several_together, "together")
FAMILY(hosts_with_rates_of_their_own, "hosts' rates")
FAMILY(docomo_takes_one_a_second, "docomo")
FAMILY(knocking_is_punished, "punishes")
FAMILY(a_rest_is_asked_for, "asks for a rest")
FAMILY(new_ones_are_said_to_be_too_many_at_a_time, "says connections")
FAMILY(much_is_refused_by_chance, "much by chance")
FAMILY(load_is_no_refusal, "load")
FAMILY(connections_are_refused_by_chance, "doors by chance")
FAMILY(nothing_is_held_back_without_a_limit, "no limit")

static int table(uint64_t seeds, const char *only) {
    for (int i = 0; i < (int)learn_case_count; i++)
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            struct world_result r;
            if (only && !strstr(learn_cases[i].family, only) && !strstr(learn_cases[i].name, only)) continue;
            world_run(&learn_cases[i], seed, false, &r);
            print(&learn_cases[i], &r);
        }
    return 0;
}

static int show(const char *family, const char *name, uint64_t seed) {
    for (int i = 0; i < (int)learn_case_count; i++) {
        struct world_result r;
        if (strcmp(learn_cases[i].family, family) != 0 || strcmp(learn_cases[i].name, name) != 0) continue;
        world_run(&learn_cases[i], seed, true, &r);
        print(&learn_cases[i], &r);
    }
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_at_a_time),
        cmocka_unit_test(rates_of_buckets),
        cmocka_unit_test(rates_by_windows),
        cmocka_unit_test(messages_in_a_connection),
        cmocka_unit_test(new_connections_a_minute),
        cmocka_unit_test(daily_quota),
        cmocka_unit_test(a_limit_halves),
        cmocka_unit_test(a_limit_doubles),
        cmocka_unit_test(reputation_moves),
        cmocka_unit_test(greylisting_is_no_limit),
        cmocka_unit_test(groups_of_servers),
        cmocka_unit_test(chance_is_no_limit),
        cmocka_unit_test(chance_does_not_hold_back_a_new_lane),
        cmocka_unit_test(chance_does_not_hold_back_small_campaigns),
        cmocka_unit_test(an_outage),
        cmocka_unit_test(postfix_takes_five),
        cmocka_unit_test(several_together),
        cmocka_unit_test(hosts_with_rates_of_their_own),
        cmocka_unit_test(docomo_takes_one_a_second),
        cmocka_unit_test(knocking_is_punished),
        cmocka_unit_test(a_rest_is_asked_for),
        cmocka_unit_test(new_ones_are_said_to_be_too_many_at_a_time),
        cmocka_unit_test(much_is_refused_by_chance),
        cmocka_unit_test(load_is_no_refusal),
        cmocka_unit_test(connections_are_refused_by_chance),
        cmocka_unit_test(nothing_is_held_back_without_a_limit),
    };
    if (argc > 1 && strcmp(argv[1], "--table") == 0)
        return table(argc > 2 ? strtoull(argv[2], NULL, 10) : 1, argc > 3 ? argv[3] : NULL);
    if (argc > 3 && strcmp(argv[1], "--show") == 0)
        return show(argv[2], argv[3], argc > 4 ? strtoull(argv[4], NULL, 10) : 1);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
