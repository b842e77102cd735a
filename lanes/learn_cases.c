/* The servers that lanes are tried on. */
#include "learn_cases.h"

#define CONN LEARN_CONNECTIONS
#define RATE LEARN_RATE

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what a case does not name is 0 */
/* family, name, limits; ms of a round trip, depth, hosts, hours, capacity, what explain must name; own goals
 */
/* clang-format off */
const struct world_case learn_cases[] = {
    {"connections", "5, words", {.connections = 5, .per_connection = 100, .close = CLOSE_SILENT}, 50, 1, 0,
     1, 0, CONN},
    {"connections", "20 generic", {.connections = 20, .per_connection = 100, .generic = true}, 100, 1, 0, 1,
     0, CONN, .connections = 60},
    {"connections", "2 generic", {.connections = 2, .generic = true, .per_connection = 50, .close =
     CLOSE_SILENT}, 50, 1, 0, 1, 0, CONN},
    {"connections", "1 generic", {.connections = 1, .generic = true, .per_connection = 50, .close =
     CLOSE_SILENT}, 50, 1, 0, 1, 0, CONN},
    {"bucket", "1/s", {.rate = 1, .burst = 1}, 100, 1, 0, 2, 1, RATE},
    {"bucket", "1/s generic", {.rate = 1, .burst = 5, .generic = true}, 100, 1, 0, 2, 1, RATE, 0, 0.02},
    {"bucket", "5/s", {.rate = 5, .burst = 10}, 100, 1, 0, 1, 5, RATE},
    {"bucket", "20/s", {.rate = 20, .burst = 20}, 100, 1, 0, 1, 20, RATE},
    {"bucket", "20/s generic", {.rate = 20, .burst = 20, .generic = true}, 100, 1, 0, 1, 20, RATE},
    {"bucket", "20/s 421", {.rate = 20, .burst = 20, .generic = true, .hangs_up = true}, 100, 1, 0, 1, 20,
     RATE},
    {"bucket", "100/s burst 5 s", {.rate = 100, .burst = 500}, 100, 1, 0, 0.5, 100, RATE},
    {"bucket", "1000/s", {.rate = 1000, .burst = 200, .generic = true}, 50, 8, 0, 0.15, 1000, RATE},
    {"window", "20 in 1 s", {.window_s = 1, .window_n = 20}, 100, 1, 0, 1, 20, RATE, 0.93},
    {"window", "200 in 10 s", {.window_s = 10, .window_n = 200}, 100, 1, 0, 1, 20, RATE},
    {"window", "200 in 10 s sliding", {.window_s = 10, .window_n = 200, .window = COUNT_SLIDING, .generic =
     true}, 100, 1, 0, 1, 20, RATE, 0.85, 0.02},
    {"window", "1200 a minute", {.window_s = 60, .window_n = 1200}, 100, 1, 0, 1, 20, RATE},
    {"window", "1200 a minute sliding", {.window_s = 60, .window_n = 1200, .window = COUNT_SLIDING}, 100, 1,
     0, 1, 20, RATE},
    {"window", "120 a minute", {.window_s = 60, .window_n = 120}, 100, 1, 0, 2, 2, RATE, 0.93, 0.02},
    {"window", "3600 an hour", {.window_s = 3600, .window_n = 3600}, 100, 1, 0, 12, 1, RATE},
    {"window", "36000 an hour", {.window_s = 3600, .window_n = 36000, .generic = true}, 100, 1, 0, 8, 10,
     RATE},
    {"per-connection", "50, 421", {.per_connection = 50, .connections = 5}, 50, 1, 0, 1, 0,
     LEARN_PER_CONNECTION},
    {"per-connection", "20 generic", {.per_connection = 20, .connections = 5, .generic = true}, 50, 1, 0, 1,
     0, LEARN_PER_CONNECTION},
    {"per-connection", "10 generic stays", {.per_connection = 10, .connections = 5, .generic = true, .close
     = CLOSE_STAYS}, 50, 8, 0, 0.3, 333, LEARN_PER_CONNECTION, 0.9},
    {"per-connection", "5 hangs up", {.per_connection = 5, .connections = 5, .generic = true, .close =
     CLOSE_SILENT}, 50, 1, 0, 1, 83.3, LEARN_PER_CONNECTION},
    {"new connections", "30/min", {.new_a_minute = 30, .per_connection = 10}, 50, 1, 0, 2, 5,
     LEARN_NEW_CONNECTIONS},
    {"new connections", "30/min generic", {.new_a_minute = 30, .per_connection = 10, .generic = true, .close
     = CLOSE_SILENT}, 50, 1, 0, 2, 5, LEARN_NEW_CONNECTIONS},
    {"new connections", "60/min bucket", {.new_a_minute = 60, .per_connection = 5, .generic = true,
     .new_count = COUNT_BUCKET}, 50, 1, 0, 2, 5, LEARN_NEW_CONNECTIONS},
    {"quota", "5000 a day", {.quota = 5000}, 100, 1, 0, 96, 5000 / 86400.0, LEARN_QUOTA},
    {"quota", "50000 generic", {.quota = 50000, .generic = true}, 100, 1, 0, 96, 50000 / 86400.0,
     LEARN_QUOTA},
    {"halves", "20/s", {.rate = 20, .burst = 20, .changes_at = 1800, .factor = 0.5}, 100, 1, 0, 1, 20,
     RATE},
    {"halves", "100/s generic", {.rate = 100, .burst = 100, .generic = true, .changes_at = 900, .factor =
     0.5}, 100, 1, 0, 0.5, 100, RATE},
    {"halves", "5/s", {.rate = 5, .burst = 5, .changes_at = 1800, .factor = 0.5}, 100, 1, 0, 1, 5, RATE},
    {"halves", "10 connections", {.connections = 10, .per_connection = 50, .close = CLOSE_SILENT,
     .changes_at = 900, .factor = 0.5}, 50, 1, 0, 0.5, 0, CONN},
    {"halves", "10, generic", {.connections = 10, .per_connection = 50, .generic = true, .changes_at = 900,
     .factor = 0.5}, 50, 1, 0, 0.5, 0, CONN},
    {"doubles", "20/s", {.rate = 20, .burst = 20, .changes_at = 1800, .factor = 2}, 100, 1, 0, 2, 20, RATE},
    {"doubles", "100/s generic", {.rate = 100, .burst = 100, .generic = true, .changes_at = 900, .factor =
     2}, 100, 1, 0, 1, 100, RATE, .connections = 50},
    {"doubles", "2/s", {.rate = 2, .burst = 5, .changes_at = 1800, .factor = 2}, 100, 1, 0, 2, 2, RATE},
    {"doubles", "5 connections", {.connections = 5, .per_connection = 50, .close = CLOSE_SILENT, .changes_at
     = 900, .factor = 2}, 50, 1, 0, 1, 0, CONN},
    {"reputation", "20/s, 10 % unknown", {.rate = 20, .burst = 20, .unknown = 0.1, .unknown_hurts = 0.12},
     100, 1, 0, 1, 15, RATE, 0.8, 0.05},
    {"greylisting", "30 %, 20/s", {.rate = 20, .burst = 20, .greylisted = 0.3}, 100, 1, 0, 1, 20, RATE},
    {"groups", "3 x 5 connections", {.host_connections = {5, 5, 5}, .per_connection = 50, .close =
     CLOSE_SILENT}, 50, 1, 3, 0.4, 294, CONN, .connections = 40},
    {"groups", "2, 5, 10", {.host_connections = {2, 5, 10}, .per_connection = 50, .close = CLOSE_SILENT,
     .generic = true}, 50, 1, 3, 0.4, 333, CONN, .connections = 40},
    {"random 4xx", "1 %, 20/s", {.rate = 20, .burst = 20, .chance = 0.01, .generic = true}, 100, 1, 0, 1,
     20, RATE},
    {"random 4xx", "5 %, 20/s", {.rate = 20, .burst = 20, .chance = 0.05, .generic = true}, 100, 1, 0, 1,
     20, RATE, 0.9, 0.02},
    {"random 4xx", "1 %, 5 connections", {.connections = 5, .chance = 0.01, .generic = true}, 50, 1, 0, 1,
     0, CONN},
    {"random 4xx", "5 %, 5 connections", {.connections = 5, .chance = 0.05, .generic = true}, 50, 1, 0, 1,
     0, CONN},
    {"random 4xx", "5 %, no limit", {.chance = 0.05, .generic = true}, 50, 1, 0, 0.5, 400,
     LEARN_CONNECTIONS, .profile = {.connections = {.ceiling = 20}}, .connections = 30},
    {"new, by chance", "1 %, no limit", {.chance = 0.01, .generic = true}, 25, 1, 0, 0.1, 800, CONN, .first_most =
     60, .profile = {.connections = {.ceiling = 20}}, .connections = 30},
    {"new, by chance", "2 %, no limit", {.chance = 0.02, .generic = true}, 25, 1, 0, 0.1, 800, CONN, .first_most =
     60, .profile = {.connections = {.ceiling = 20}}, .connections = 30},
    {"new, by chance", "4 %, no limit", {.chance = 0.04, .generic = true}, 25, 1, 0, 0.1, 800, CONN, .first_most =
     60, .profile = {.connections = {.ceiling = 20}}, .connections = 30},
    {"new, by chance", "7 %, no limit, 2 % unknown", {.chance = 0.07, .unknown = 0.02, .generic = true}, 25, 1, 0,
     0.1, 800, CONN, .first_most = 60, .profile = {.connections = {.ceiling = 20}}, .connections = 30},
    {"new, by chance", "10 %, no limit", {.chance = 0.1, .generic = true}, 25, 1, 0, 0.1, 800, CONN, .first_most =
     90, .profile = {.connections = {.ceiling = 20}}, .connections = 30},
    {"new, by chance", "7 %, starts at 10", {.chance = 0.07, .unknown = 0.02, .generic = true}, 25, 1, 0, 0.1, 800,
     CONN, .first_most = 60, .connections = 30, .profile = {.rate = {.start = 10}, .connections = {.start = 4,
     .ceiling = 20}}},
    {"campaigns, by chance", "600 each 15 s, 7 %", {.chance = 0.07, .unknown = 0.02, .generic = true}, 25, 1, 0,
     0.5, 40, LEARN_NOTHING, .batch = 600, .batch_s = 15, .batch_most = 12, .connections = 30, .profile = {.rate =
     {.start = 10}, .connections =
     {.start = 4, .ceiling = 20}}},
    {"campaigns, by chance", "60 each 15 s, 5 %", {.chance = 0.05, .generic = true}, 25, 1, 0, 0.5, 4,
     LEARN_NOTHING, .batch =
     60, .batch_s = 15, .batch_most = 12, .connections = 30, .profile = {.rate = {.start = 10}, .connections =
     {.start = 4, .ceiling = 20}}},
    {"outage", "20/s", {.rate = 20, .burst = 20, .outage_from = 2000, .outage_for = 120}, 100, 1, 0, 1.5,
     20, RATE},
    {"postfix5", "5 connections", {.connections = 5}, 50, 1, 0, 0.5, 0, CONN, 0.97, 0.005},
    {"postfix5", "100 messages each", {.connections = 5, .per_connection = 100, .close = CLOSE_SILENT}, 50,
     1, 0, 0.5, 0, CONN, 0.97, 0.005},
    {"together", "5, 20/s, 50, 30/min", {.connections = 5, .rate = 20, .burst = 20, .per_connection = 50,
     .new_a_minute = 30}, 50, 1, 0, 1, 20, RATE},
    {"together", "the same, generic", {.connections = 5, .rate = 20, .burst = 20, .per_connection = 50,
     .new_a_minute = 30, .generic = true}, 50, 1, 0, 1, 20, RATE},
    {"together", "3, 100/s, 20, generic", {.connections = 3, .rate = 100, .burst = 50, .per_connection = 20,
     .generic = true}, 100, 1, 0, 1, 0, CONN},
    {"docomo", "1 connection, 1/s", {.connections = 1, .rate = 1, .burst = 3, .generic = true}, 100, 1, 0,
     2, 1, RATE},
    {"punishes", "5, banned for 60 s", {.connections = 5, .ban_s = 60, .per_connection = 50, .close =
     CLOSE_SILENT}, 50, 1, 0, 2, 0, CONN, 0.8},
    {"no limit", "10,000/s", {0}, 20, 8, 0, 0.03, 10000, RATE, .profile = {.rate = {.ceiling = 10000}},
     .connections = 40},
    {"no limit", "20 connections", {0}, 50, 1, 0, 0.2, 400, LEARN_CONNECTIONS, .profile = {.connections =
     {.ceiling = 20}}, .connections = 30},
    /* As a stranger would have it. */
    {"latency", "20/s, 5 ms", {.rate = 20, .burst = 20, .generic = true}, 5, 1, 0, 1, 20, RATE},
    {"latency", "20/s, 800 ms, jitter", {.rate = 20, .burst = 20, .generic = true}, 800, 1, 0, 1, 20, RATE,
     .jitter = 0.5, .connections = 60},
    {"latency", "5 connections, 800 ms", {.connections = 5, .per_connection = 50, .generic = true}, 800, 1, 0, 2, 0,
     CONN, .jitter = 0.5},
    {"latency", "greeting after 5 s", {.connections = 20, .per_connection = 100, .greeting_s = 5}, 50, 1, 0, 1, 0,
     CONN, 0.7, .connections = 60},
    {"bursty", "20/s, 60 s of 180", {.rate = 20, .burst = 20, .generic = true}, 100, 1, 0, 2, 20, RATE,
     .busy_s = 60, .idle_s = 120},
    {"bursty", "20/s, 10 s of 20", {.rate = 20, .burst = 20, .generic = true}, 100, 1, 0, 2, 20, RATE, .busy_s =
     10, .idle_s = 10},
    {"bursty", "5 connections", {.connections = 5, .per_connection = 50, .generic = true}, 50, 1, 0, 2, 0, CONN,
     .busy_s = 60, .idle_s = 60},
    {"hosts' rates", "3 x 10/s", {.host_rate = {10, 10, 10}, .burst = 10, .generic = true}, 100, 1, 3, 1, 30, RATE,
     .connections = 40},
    {"hosts' rates", "2, 10, 30/s", {.host_rate = {2, 10, 30}, .burst = 10}, 100, 1, 3, 1, 42, RATE, .connections
     = 40},
    {"hosts' rates", "2, 10, 30/s generic", {.host_rate = {2, 10, 30}, .burst = 10, .generic = true}, 100, 1, 3, 1,
     42, RATE, .connections = 40},
    {"hosts' rates", "10/s and none, 8 conn.", {.host_rate = {10}, .burst = 10, .host_connections = {8, 8},
     .per_connection = 50}, 100, 1, 2, 1, 88, RATE, .connections = 40},
    {"counts refused", "20/s", {.rate = 20, .burst = 20, .counts_refused = true, .generic = true}, 100, 1, 0, 1, 20,
     RATE},
    {"counts refused", "600 in 60 s sliding", {.window_s = 60, .window_n = 600, .window = COUNT_SLIDING,
     .counts_refused = true, .generic = true}, 100, 1, 0, 2, 10, RATE},
    {"penalty", "20/s, 5 s", {.rate = 20, .burst = 20, .penalty_s = 5, .generic = true}, 100, 1, 0, 2, 20, RATE},
    {"penalty", "20/s, 60 s", {.rate = 20, .burst = 20, .penalty_s = 60}, 100, 1, 0, 2, 20, RATE},
    {"moves", "down by 4", {.rate = 40, .burst = 40, .generic = true, .changes_at = 1800, .factor = 0.25}, 100, 1,
     0, 1, 40, RATE},
    {"moves", "up by 5", {.rate = 20, .burst = 20, .generic = true, .changes_at = 1800, .factor = 5}, 100, 1, 0, 1,
     20, RATE, .connections = 50},
    {"moves", "10 % each 5 minutes", {.rate = 20, .burst = 20, .step_s = 300, .steps = {1, 0.9, 0.8, 0.7, 0.6, 0.7,
     0.8, 0.9}}, 100, 1, 0, 3, 20, RATE},
    {"moves", "day and night", {.rate = 20, .burst = 20, .generic = true, .step_s = 43200, .steps = {1, 0.3}}, 100,
     1, 0, 48, 20, RATE},
    {"quota", "5000 from the first on", {.quota = 5000, .quota_from_first = true, .generic = true}, 100, 1, 0, 96,
     5000 / 86400.0, LEARN_QUOTA, 0.9},
    {"stage", "20/s 421 at MAIL", {.rate = 20, .burst = 20, .generic = true, .hangs_up = true, .stage =
     CLASSIFY_AT_MAIL}, 100, 1, 0, 1, 20, RATE},
    {"stage", "20/s at the dot", {.rate = 20, .burst = 20, .generic = true, .stage = CLASSIFY_AT_DATA}, 100, 1, 0, 1,
     20, RATE},
    {"tarpit", "20/s", {.rate = 20, .burst = 20, .beyond = BEYOND_SLOWS}, 100, 1, 0, 1, 20, CONN, .connections = 60},
    {"tarpit", "3/s", {.rate = 3, .burst = 3, .beyond = BEYOND_SLOWS}, 100, 1, 0, 1, 3, CONN, .connections = 60},
    {"silence", "20/s", {.rate = 20, .burst = 20, .beyond = BEYOND_SILENT}, 100, 1, 0, 2, 20, RATE},
    {"silence", "5 connections, unheard", {.connections = 5, .per_connection = 50, .unheard = true}, 50, 1, 0, 2, 0,
     CONN, .connections = 40},
    {"silence", "5 connections, unheard, long", {.connections = 5, .unheard = true}, 50, 1, 0, 2, 0, CONN,
     .connections = 40},
    {"silence", "30/min, unheard", {.new_a_minute = 30, .per_connection = 10, .unheard = true}, 50, 1, 0, 2, 5,
     LEARN_NEW_CONNECTIONS, .connections = 40},
    {"greylisting", "all for 60 s", {.rate = 20, .burst = 20, .greylist_s = 60}, 100, 1, 0, 1, 20, RATE},
    {"greylisting", "all for 900 s, generic", {.rate = 20, .burst = 20, .greylist_s = 900, .generic = true}, 100, 1,
     0, 2, 20, RATE},
    {"greylisting", "all, no limit", {.connections = 5, .greylist_s = 200}, 50, 1, 0, 1, 0, CONN},
    {"says greylisted", "20/s", {.rate = 20, .burst = 20, .says_greylisted = true}, 100, 1, 0, 1, 20, RATE},
    {"says greylisted", "2/s", {.rate = 2, .burst = 5, .says_greylisted = true}, 100, 1, 0, 2, 2, RATE},
    {"says greylisted", "20/s and greylists", {.rate = 20, .burst = 20, .says_greylisted = true, .greylist_s =
     200}, 100, 1, 0, 2, 20, RATE},
    {"outage", "half of the hosts", {.rate = 20, .burst = 20, .outage_from = 1800, .outage_for = 1800, .outage_hosts =
     1}, 100, 1, 2, 1, 20, RATE},
    {"outage", "half, 5 connections", {.connections = 5, .per_connection = 50, .outage_from = 1800, .outage_for =
     1800, .outage_hosts = 1}, 100, 1, 2, 1, 0, CONN},
    {"random 4xx", "1 % of connections too", {.connections = 10, .per_connection = 50, .chance = 0.05,
     .connect_chance = 0.01, .generic = true}, 50, 1, 0, 1, 0, CONN},
    {"random, twice", "1 % of connections, 20/s", {.rate = 20, .burst = 20, .per_connection = 20, .chance = 0.05,
     .connect_chance = 0.01}, 50, 1, 0, 1, 20, RATE, 0.93, 0.02},
    {"two", "5 connections, 10/s generic", {.connections = 5, .rate = 10, .burst = 10, .generic = true}, 100, 1, 0,
     1, 10, RATE},
    {"two", "10 connections, 50/s", {.connections = 10, .rate = 50, .burst = 50, .per_connection = 100, .generic =
     true}, 100, 1, 0, 1, 50, RATE},
    {"two", "20/min, 10 each, 3/s generic", {.new_a_minute = 20, .per_connection = 10, .rate = 3, .burst = 10,
     .generic = true}, 100, 1, 0, 2, 3, RATE},
    {"three", "4, 15/s, 25, generic", {.connections = 6, .rate = 15, .burst = 15, .per_connection = 25,
     .new_a_minute =
     40, .chance = 0.01, .generic = true}, 50, 1, 2, 1, 15, RATE},
    /* Words that say something else than what is meant. */
    {"asks for a rest", "20/s, 2 h", {.rate = 20, .burst = 20, .asks_rest_s = 7200}, 100, 1, 0, 1, 20, RATE},
    {"asks for a rest", "2/s, 2 h", {.rate = 2, .burst = 5, .asks_rest_s = 7200}, 100, 1, 0, 1, 2, RATE},
    {"asks for a rest", "1200 a minute, 15 min", {.window_s = 60, .window_n = 1200, .asks_rest_s = 900}, 100, 1, 0,
     1, 20, RATE},
    {"asks for a rest", "moves down by 2", {.rate = 20, .burst = 20, .asks_rest_s = 7200, .changes_at = 1800, .factor
     = 0.5}, 100, 1, 0, 1, 20, RATE},
    {"says connections", "10 new in 10 s", {.new_a_minute = 60, .new_s = 10, .says_connections = true}, 50, 1, 0, 1,
     5, LEARN_NEW_CONNECTIONS, .profile = {.per_connection = {.ceiling = 5}}},
    {"says connections", "30 a minute", {.new_a_minute = 30, .says_connections = true, .per_connection = 10, .close =
     CLOSE_SILENT}, 50, 1, 0, 2, 5, LEARN_NEW_CONNECTIONS},
    {"says connections", "120 a minute, slow mails", {.new_a_minute = 120, .says_connections = true, .per_connection
     = 5, .close = CLOSE_SILENT}, 600, 1, 0, 2, 10, LEARN_NEW_CONNECTIONS, .connections = 40},
    {"says connections", "10 at a time, 60 new", {.connections = 10, .new_a_minute = 60, .says_connections = true,
     .per_connection = 20, .close = CLOSE_SILENT}, 1000, 1, 0, 2, 10, CONN},
    /* Much is refused whatever is done. */
    {"much by chance", "20 %, no limit", {.chance = 0.2, .generic = true}, 50, 1, 0, 0.5, 200, CONN, .profile =
     {.connections = {.ceiling = 10}}},
    {"much by chance", "30 %, no limit", {.chance = 0.3, .generic = true}, 50, 1, 0, 0.5, 200, CONN, .profile =
     {.connections = {.ceiling = 10}}},
    {"much by chance", "50 %, no limit", {.chance = 0.5, .generic = true}, 50, 1, 0, 0.5, 200, CONN, 0.85, .profile =
     {.connections = {.ceiling = 10}}},
    {"much by chance", "10 %, 20/s", {.rate = 20, .burst = 20, .chance = 0.1, .generic = true}, 100, 1, 0, 1, 20,
     RATE, 0.85, 0.06},
    {"much by chance", "30 %, 20/s", {.rate = 20, .burst = 20, .chance = 0.3, .generic = true}, 100, 1, 0, 1, 20,
     RATE, 0.85, 0.06},
    {"much by chance", "20 %, 20/s, words", {.rate = 20, .burst = 20, .chance = 0.2}, 100, 1, 0, 1, 20, RATE, 0.85,
     0.04},
    {"much by chance, moves", "20 %, 20/s halves", {.rate = 20, .burst = 20, .chance = 0.2, .changes_at = 1800,
     .factor =
     0.5}, 100, 1, 0, 1, 20, RATE},
    {"doors by chance", "20 % of connections", {.connections = 10, .per_connection = 50, .connect_chance = 0.2,
     .generic = true}, 50, 1, 0, 1, 0, CONN},
    {"doors by chance", "10 %, 5 connections", {.connections = 5, .per_connection = 20, .connect_chance = 0.1},
     50, 1, 0, 1, 0, CONN},
    {"doors by chance", "40 %, 5 connections", {.connections = 5, .per_connection = 20, .connect_chance = 0.4,
     .generic = true}, 50, 1, 0, 1, 0, CONN},
    {"doors by chance", "20 %, 1 connection", {.connections = 1, .per_connection = 20, .connect_chance = 0.2,
     .generic = true}, 50, 1, 0, 1, 0, CONN, 0.85},
    {"doors by chance", "20 %, no limit", {.per_connection = 50, .connect_chance = 0.2, .generic = true}, 50, 1, 0, 1,
     200, CONN, .profile = {.connections = {.ceiling = 10}}},
    {"doors by chance", "20 %, 20/s", {.rate = 20, .burst = 20, .per_connection = 20, .connect_chance = 0.2}, 50, 1,
     0, 1, 20, RATE},
    {"doors by chance", "20 %, 10 halve", {.connections = 10, .per_connection = 20, .connect_chance = 0.2, .generic =
     true, .changes_at = 1800, .factor = 0.5}, 50, 1, 0, 1, 0, CONN},
    {"doors by chance", "20 %, 30 a minute", {.new_a_minute = 30, .per_connection = 10, .connect_chance = 0.2},
     50, 1, 0, 1, 5, LEARN_NEW_CONNECTIONS, 0.6},
    /* More strangers. */
    {"source and host", "20/s, 3 x 10/s", {.rate = 20, .host_rate = {10, 10, 10}, .burst = 10}, 100, 1, 3, 1, 20,
     RATE, .connections = 40},
    {"source and host", "40/s, 2 x 10/s generic", {.rate = 40, .host_rate = {10, 10}, .burst = 10, .generic =
     true}, 100, 1, 2, 1, 20, RATE, .connections = 40},
    {"source and host", "12 and 3 x 5 connections", {.connections = 12, .host_connections = {5, 5, 5},
     .per_connection = 50}, 50, 1, 3, 1, 0, CONN, .connections = 40},
    {"large burst", "5/s, 1000", {.rate = 5, .burst = 1000}, 100, 1, 0, 2, 5, RATE},
    {"large burst", "20/s, 5000 generic", {.rate = 20, .burst = 5000, .generic = true}, 100, 1, 0, 2, 20, RATE},
    {"moves", "by half each 4 minutes", {.rate = 20, .burst = 20, .step_s = 240, .steps = {1, 0.5}}, 100, 1, 0, 2,
     20, RATE},
    {"moves", "by half each 10 minutes", {.rate = 40, .burst = 40, .generic = true, .step_s = 600, .steps = {1,
     0.5}}, 100, 1, 0, 2, 40, RATE},
    {"moves", "by the hour", {.rate = 20, .burst = 20, .step_s = 3600, .steps = {1, 0.6, 0.3, 0.8}}, 100, 1, 0, 12,
     20, RATE},
    {"at the door", "20/s, 20 each", {.rate = 20, .burst = 40, .at_door = true, .per_connection = 20, .close =
     CLOSE_SILENT}, 50, 1, 0, 1, 20, LEARN_NEW_CONNECTIONS},
    {"at the door", "20/s, 20 each, generic", {.rate = 20, .burst = 40, .at_door = true, .per_connection = 20, .close
     = CLOSE_SILENT, .generic = true}, 50, 1, 0, 1, 20, LEARN_NEW_CONNECTIONS},
    {"load", "slower above 8", {.slows_above = 8, .service_s = 0.05}, 50, 1, 0, 1, 160, CONN, .connections = 60},
    {"load", "slower above 8, 1 s", {.slows_above = 8, .service_s = 1}, 1000, 1, 0, 2, 8, CONN, .connections = 60},
    {"load", "8 connections, late by 2 s", {.connections = 8, .late_from = 1200, .late_for = 2400, .late_s = 2}, 50,
     1, 0, 1, 0, CONN},
    {"load", "6 connections, late by 1 s", {.connections = 6, .per_connection = 50, .late_from = 1200, .late_for = 1800,
     .late_s = 1}, 50, 1, 0, 1, 0, CONN},
    {"load", "20 connections, late by 0.2 s", {.connections = 20, .late_from = 1200, .late_for = 1800, .late_s = 0.2}, 50, 1,
     0, 1, 0, CONN, .connections = 40},
    {"load", "100/s, slow each 5 minutes", {.rate = 100, .burst = 10, .beyond = BEYOND_SLOWS, .step_s = 300, .steps = {1,
     0.1}}, 100, 1, 0, 1, 100, CONN, 0.85, .connections = 60},
    {"load", "slower above 20, 50 each", {.slows_above = 20, .service_s = 0.1, .per_connection = 50}, 100, 1, 0, 1, 200,
     CONN, .connections = 60},
    {"lingers", "10 connections, 3 s", {.connections = 10, .linger_s = 3, .per_connection = 20}, 50, 1, 0, 1, 0,
     CONN},
    {"lingers", "10, 3 s, generic", {.connections = 10, .linger_s = 3, .per_connection = 20, .generic = true}, 50, 1,
     0, 1, 0, CONN},
};
/* clang-format on */

const size_t learn_case_count = sizeof learn_cases / sizeof *learn_cases;
