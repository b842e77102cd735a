/* The table of a provider's keys: it drives reading (sim_read.c) and printing (sim_print.c). */
#include "sim_keys.h"

#include "sim_manner.h"

const char *const sim_step_names[] = {"connect", "greeting", "ehlo", "starttls", "tls",  "mail", "rcpt",
                                      "data",    "body",     "dot",  "bdat",     "rset", "quit", NULL};
const char *const sim_fault_names[] = {"none",  "drop",    "reset", "stall",     "half",  "half-stall",
                                       "early", "garbage", "421",   "oversized", "flood", NULL};
const char *const sim_keeps_names[] = {"sometimes", "always", "never", NULL};
const char *const sim_window_names[] = {"refuse", "421", "timeout", "drop", NULL};
const char *const sim_gate_names[] = {"greeting", "mail", "rcpt", "data", "dot", NULL};
const char *const sim_limit_names[] = {
    "connections", "connections_per_minute", "messages", "rate", "daily", "mailbox",
    "recipients",  "session_recipients",     NULL};
const char *const sim_sizes_names[] = {"zipf", "even", NULL};
const char *const sim_bool_names[] = {"false", "true", NULL};

static const char *const dns_names[] = {"normal", "implicit", "null-mx", "nxdomain", "servfail",
                                        "silent", "refused",  "lame",    NULL};
static const char *const ipv6_names[] = {"none", "dead", NULL};
static const char *const tls_names[] = {"off", "offer", "require", NULL};
static const char *const certificate_names[] = {"good", "self-signed", "expired", "wrong-name", NULL};
static const char *const chunking_names[] = {"false", "true", "broken", NULL};
static const char *const version_names[] = {"any", "1.0", "1.1", "1.2", "1.3", NULL};
static const char *const stage_names[] = {"rcpt", "data", NULL};
static const char *const counts_names[] = {"group", "host", "provider", NULL};
static const char *const client_names[] = {"address", "net", NULL};
static const char *const grey_names[] = {"triplet", "client", "from-domain", NULL};
static const char *const standing_names[] = {"client", "from", "both", NULL};

#define AT(member) offsetof(struct sim_provider, member)
/* A limit that can answer at several steps. */
#define LIMIT(name, which, kind, most_)                                                                      \
    {"limits", name, kind, AT(rules.limits.most[which]), most_, NULL},                                       \
        {"limits", name "_at", SIM_KEY_WORD, AT(rules.limits.gate[which]), 0, sim_gate_names}, {             \
        "limits", name "_closes", SIM_KEY_BOOL, AT(rules.limits.closes[which]), 0, NULL                      \
    }

const struct sim_key sim_keys[] = {
    {NULL, "weight", SIM_KEY_REAL, AT(weight), 1e9, NULL},
    {NULL, "manner", SIM_KEY_WORD, AT(manner), 0, sim_manner_names},
    {"dns", "mode", SIM_KEY_WORD, AT(dns), 0, dns_names},
    {"dns", "ttl", SIM_KEY_NUMBER, AT(dns_ttl), 604800, NULL},
    {"dns", "servfail", SIM_KEY_SHARE, AT(dns_servfail), 1, NULL},
    {"dns", "silent", SIM_KEY_SHARE, AT(dns_silent), 1, NULL},
    {"dns", "lame", SIM_KEY_SHARE, AT(dns_lame), 1, NULL},
    {"dns", "truncate", SIM_KEY_BOOL, AT(dns_truncate), 0, NULL},
    {"dns", "ipv6", SIM_KEY_WORD, AT(ipv6), 0, ipv6_names},
    LIMIT("connections", SIM_LIMIT_CONNECTIONS, SIM_KEY_WHOLE, 1e6),
    LIMIT("connections_per_minute", SIM_LIMIT_CONNECTIONS_PER_MINUTE, SIM_KEY_WHOLE, 1e6),
    LIMIT("messages", SIM_LIMIT_MESSAGES, SIM_KEY_WHOLE, 1e9),
    LIMIT("rate", SIM_LIMIT_RATE, SIM_KEY_REAL, 1e6),
    {"limits", "burst", SIM_KEY_NUMBER, AT(rules.limits.burst), 1e6, NULL},
    {"limits", "window", SIM_KEY_TIME, AT(rules.limits.window_s), 1e6, NULL},
    LIMIT("daily", SIM_LIMIT_DAILY, SIM_KEY_WHOLE, 1e9),
    {"limits", "daily_resets", SIM_KEY_CLOCK, AT(rules.limits.daily_resets_s), 0, NULL},
    {"limits", "mailbox", SIM_KEY_WHOLE, AT(rules.limits.most[SIM_LIMIT_MAILBOX]), 1e6, NULL},
    {"limits", "recipients", SIM_KEY_WHOLE, AT(rules.limits.most[SIM_LIMIT_RECIPIENTS]), 1e6, NULL},
    {"limits", "session_recipients", SIM_KEY_WHOLE, AT(rules.limits.most[SIM_LIMIT_SESSION_RECIPIENTS]), 1e9,
     NULL},
    {"limits", "session_voids", SIM_KEY_BOOL, AT(rules.limits.session_voids), 0, NULL},
    {"limits", "size", SIM_KEY_NUMBER, AT(rules.limits.size), 2e9, NULL},
    {"limits", "counts", SIM_KEY_WORD, AT(rules.limits.counts), 0, counts_names},
    {"limits", "client", SIM_KEY_WORD, AT(rules.limits.client), 0, client_names},
    {"knocking", "after", SIM_KEY_NUMBER, AT(knocking.after), 1e6, NULL},
    {"knocking", "block", SIM_KEY_TIME, AT(knocking.block_s), 1e7, NULL},
    {"knocking", "longest", SIM_KEY_TIME, AT(knocking.longest_s), 1e7, NULL},
    {"latency", "connect", SIM_KEY_REAL, AT(latency.connect_ms), 600000, NULL},
    {"latency", "command", SIM_KEY_REAL, AT(latency.command_ms), 600000, NULL},
    {"latency", "data", SIM_KEY_REAL, AT(latency.data_ms), 600000, NULL},
    {"latency", "jitter", SIM_KEY_SHARE, AT(latency.jitter), 1, NULL},
    {"latency", "tail", SIM_KEY_REAL, AT(latency.tail), 1000, NULL},
    {"latency", "tarpit", SIM_KEY_REAL, AT(latency.tarpit_ms), 600000, NULL},
    {"latency", "slow", SIM_KEY_SHARE, AT(latency.slow), 1, NULL},
    {"latency", "slow_factor", SIM_KEY_REAL, AT(latency.slow_factor), 1000, NULL},
    {"latency", "read", SIM_KEY_REAL, AT(latency.read), 1e9, NULL},
    {"users", "unknown", SIM_KEY_SHARE, AT(unknown), 1, NULL},
    {"users", "unknown_at", SIM_KEY_WORD, AT(unknown_at), 0, stage_names},
    {"users", "full", SIM_KEY_SHARE, AT(full), 1, NULL},
    {"users", "full_for", SIM_KEY_TIME, AT(full_for_s), 1e7, NULL},
    {"greylist", "share", SIM_KEY_SHARE, AT(greylist.share), 1, NULL},
    {"greylist", "delay", SIM_KEY_TIME, AT(greylist.delay_s), 1e7, NULL},
    {"greylist", "by", SIM_KEY_WORD, AT(greylist.by), 0, grey_names},
    {"greylist", "window", SIM_KEY_TIME, AT(greylist.window_s), 1e7, NULL},
    {"greylist", "whitelist_after", SIM_KEY_NUMBER, AT(greylist.whitelist_after), 1e6, NULL},
    {"greylist", "names_delay", SIM_KEY_BOOL, AT(greylist.names_delay), 0, NULL},
    {"reputation", "of", SIM_KEY_WORD, AT(reputation.of), 0, standing_names},
    {"reputation", "memory", SIM_KEY_TIME, AT(reputation.memory_s), 1e7, NULL},
    {"reputation", "least", SIM_KEY_NUMBER, AT(reputation.least), 1e9, NULL},
    {"reputation", "slow", SIM_KEY_SHARE, AT(reputation.slow), 1, NULL},
    {"reputation", "slow_rate", SIM_KEY_REAL, AT(reputation.slow_rate), 1e6, NULL},
    {"reputation", "defer", SIM_KEY_SHARE, AT(reputation.defer), 1, NULL},
    {"reputation", "block", SIM_KEY_SHARE, AT(reputation.block), 1, NULL},
    {"reputation", "block_for", SIM_KEY_TIME, AT(reputation.block_s), 1e7, NULL},
    {"reputation", "block_for_good", SIM_KEY_BOOL, AT(reputation.block_for_good), 0, NULL},
    {"reputation", "unknown", SIM_KEY_NUMBER, AT(reputation.unknown), 1e9, NULL},
    {"reputation", "traps", SIM_KEY_SHARE, AT(reputation.traps), 1, NULL},
    {"reputation", "trap_weight", SIM_KEY_REAL, AT(reputation.trap_weight), 1e6, NULL},
    {"reputation", "jump", SIM_KEY_REAL, AT(reputation.jump), 1e6, NULL},
    {"reputation", "jump_from", SIM_KEY_NUMBER, AT(reputation.jump_from), 1e9, NULL},
    {"reputation", "jump_weight", SIM_KEY_SHARE, AT(reputation.jump_weight), 1, NULL},
    {"defer", "connect", SIM_KEY_SHARE, AT(defer_connect), 1, NULL},
    {"defer", "rcpt", SIM_KEY_SHARE, AT(defer_rcpt), 1, NULL},
    {"defer", "data", SIM_KEY_SHARE, AT(defer_data), 1, NULL},
    {"refuse", "connect", SIM_KEY_SHARE, AT(refuse_connect), 1, NULL},
    {"refuse", "rcpt", SIM_KEY_SHARE, AT(refuse_rcpt), 1, NULL},
    {"refuse", "data", SIM_KEY_SHARE, AT(refuse_data), 1, NULL},
    {"refuse", "content", SIM_KEY_SHARE, AT(refuse_content), 1, NULL},
    {"tls", "mode", SIM_KEY_WORD, AT(tls), 0, tls_names},
    {"tls", "certificate", SIM_KEY_WORD, AT(certificate), 0, certificate_names},
    {"tls", "version", SIM_KEY_WORD, AT(tls_version), 0, version_names},
    {"extensions", "pipelining", SIM_KEY_BOOL, AT(pipelining), 0, NULL},
    {"extensions", "size", SIM_KEY_BOOL, AT(say_size), 0, NULL},
    {"extensions", "8bitmime", SIM_KEY_BOOL, AT(eightbit), 0, NULL},
    {"extensions", "enhanced", SIM_KEY_BOOL, AT(enhanced), 0, NULL},
    {"extensions", "chunking", SIM_KEY_WORD, AT(chunking), 0, chunking_names},
    {"extensions", "smtputf8", SIM_KEY_BOOL, AT(smtputf8), 0, NULL},
    {"extensions", "limits", SIM_KEY_TEXT, AT(limits), 200, NULL},
};
const size_t sim_key_count = sizeof sim_keys / sizeof *sim_keys;
