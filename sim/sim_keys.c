/* The table of a provider's keys: it drives reading (sim_scenario.c) and printing (sim_print.c). */
#include "sim_keys.h"

#include "sim_manner.h"

const char *const sim_step_names[] = {"connect", "greeting", "ehlo", "starttls", "tls",  "mail", "rcpt",
                                      "data",    "body",     "dot",  "bdat",     "rset", "quit", NULL};
const char *const sim_fault_names[] = {"none",  "drop",    "reset", "stall",     "half",  "half-stall",
                                       "early", "garbage", "421",   "oversized", "flood", NULL};
const char *const sim_keeps_names[] = {"sometimes", "always", "never", NULL};

static const char *const dns_names[] = {"normal", "implicit", "null-mx", "nxdomain", "servfail",
                                        "silent", "refused",  "lame",    NULL};
static const char *const ipv6_names[] = {"none", "dead", NULL};
static const char *const tls_names[] = {"off", "offer", "require", NULL};
static const char *const certificate_names[] = {"good", "self-signed", "expired", "wrong-name", NULL};
static const char *const chunking_names[] = {"false", "true", "broken", NULL};
static const char *const stage_names[] = {"rcpt", "data", NULL};
const char *const sim_bool_names[] = {"false", "true", NULL};

#define AT(member) offsetof(struct sim_provider, member)
const struct sim_key sim_keys[] = {
    {NULL, "weight", SIM_KEY_REAL, AT(weight), 1e9, NULL},
    {NULL, "manner", SIM_KEY_WORD, AT(manner), 0, sim_manner_names},
    {"dns", "mode", SIM_KEY_WORD, AT(dns), 0, dns_names},
    {"dns", "ttl", SIM_KEY_NUMBER, AT(dns_ttl), 604800, NULL},
    {"dns", "servfail", SIM_KEY_SHARE, AT(dns_servfail), 1, NULL},
    {"dns", "silent", SIM_KEY_SHARE, AT(dns_silent), 1, NULL},
    {"dns", "truncate", SIM_KEY_BOOL, AT(dns_truncate), 0, NULL},
    {"dns", "ipv6", SIM_KEY_WORD, AT(ipv6), 0, ipv6_names},
    {"limits", "connections", SIM_KEY_NUMBER, AT(connections), 1e6, NULL},
    {"limits", "connections_per_minute", SIM_KEY_NUMBER, AT(connections_per_minute), 1e6, NULL},
    {"limits", "messages", SIM_KEY_NUMBER, AT(messages), 1e9, NULL},
    {"limits", "rate", SIM_KEY_REAL, AT(rate), 1e6, NULL},
    {"limits", "burst", SIM_KEY_NUMBER, AT(burst), 1e6, NULL},
    {"limits", "recipients", SIM_KEY_NUMBER, AT(recipients), 1e6, NULL},
    {"limits", "session_recipients", SIM_KEY_NUMBER, AT(session_recipients), 1e9, NULL},
    {"limits", "size", SIM_KEY_NUMBER, AT(size), 2e9, NULL},
    {"latency", "connect", SIM_KEY_REAL, AT(connect_ms), 600000, NULL},
    {"latency", "command", SIM_KEY_REAL, AT(command_ms), 600000, NULL},
    {"latency", "data", SIM_KEY_REAL, AT(data_ms), 600000, NULL},
    {"latency", "jitter", SIM_KEY_SHARE, AT(jitter), 1, NULL},
    {"users", "unknown", SIM_KEY_SHARE, AT(unknown), 1, NULL},
    {"users", "unknown_at", SIM_KEY_WORD, AT(unknown_at), 0, stage_names},
    {"users", "full", SIM_KEY_SHARE, AT(full), 1, NULL},
    {"users", "full_for", SIM_KEY_REAL, AT(full_for_s), 1e6, NULL},
    {"greylist", "share", SIM_KEY_SHARE, AT(greylist), 1, NULL},
    {"greylist", "delay", SIM_KEY_REAL, AT(greylist_s), 1e6, NULL},
    {"defer", "rcpt", SIM_KEY_SHARE, AT(defer_rcpt), 1, NULL},
    {"defer", "data", SIM_KEY_SHARE, AT(defer_data), 1, NULL},
    {"tls", "mode", SIM_KEY_WORD, AT(tls), 0, tls_names},
    {"tls", "certificate", SIM_KEY_WORD, AT(certificate), 0, certificate_names},
    {"extensions", "pipelining", SIM_KEY_BOOL, AT(pipelining), 0, NULL},
    {"extensions", "size", SIM_KEY_BOOL, AT(say_size), 0, NULL},
    {"extensions", "8bitmime", SIM_KEY_BOOL, AT(eightbit), 0, NULL},
    {"extensions", "enhanced", SIM_KEY_BOOL, AT(enhanced), 0, NULL},
    {"extensions", "chunking", SIM_KEY_WORD, AT(chunking), 0, chunking_names},
    {"extensions", "smtputf8", SIM_KEY_BOOL, AT(smtputf8), 0, NULL},
    {"extensions", "limits", SIM_KEY_TEXT, AT(limits), 200, NULL},
};
const size_t sim_key_count = sizeof sim_keys / sizeof *sim_keys;
