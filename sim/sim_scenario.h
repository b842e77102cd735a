/* What the fake internet consists of: providers with their domains, hosts, limits and faults, read from YAML.
 *
 * A scenario is read once, checked whole (every error names file, line, column and what was expected) and
 * never changes while it runs. Everything lives in its arena. docs/sim.md describes the keys. */
#ifndef TSUBAME_SIM_SCENARIO_H
#define TSUBAME_SIM_SCENARIO_H

#include "arena.h"
#include "err.h"

enum {
    SIM_HOSTS_MAX = 64,
    SIM_FAULTS_MAX = 64,
    SIM_GROUPS_MAX = 64,
    SIM_CHANGES_MAX = 64,
    SIM_WINDOWS_MAX = 32,
    SIM_MANNERS_MAX = 32,
    SIM_ADDRESSES = 1 << 24
};

/* How the domains of a provider answer in the DNS. */
enum sim_dns_mode {
    SIM_DNS_NORMAL,   /* MX records */
    SIM_DNS_IMPLICIT, /* no MX, an address at the domain itself */
    SIM_DNS_NULL_MX,  /* "MX 0 ." (RFC 7505) */
    SIM_DNS_NXDOMAIN,
    SIM_DNS_SERVFAIL,
    SIM_DNS_SILENT, /* no answer at all */
    SIM_DNS_REFUSED,
    SIM_DNS_LAME /* an MX whose host has no address */
};

enum sim_ipv6 { SIM_IPV6_NONE, SIM_IPV6_DEAD /* AAAA records of ::1, where nobody listens */ };
enum sim_tls { SIM_TLS_OFF, SIM_TLS_OFFER, SIM_TLS_REQUIRE };
enum sim_certificate { SIM_CERT_GOOD, SIM_CERT_SELF_SIGNED, SIM_CERT_EXPIRED, SIM_CERT_WRONG_NAME };
/* broken: offers CHUNKING, but takes BDAT for an unknown command and the content for commands. */
enum sim_chunking { SIM_CHUNKING_OFF, SIM_CHUNKING_ON, SIM_CHUNKING_BROKEN };
enum sim_stage { SIM_AT_RCPT, SIM_AT_DATA };

/* The steps of a conversation at which a fault can strike. */
enum sim_step {
    SIM_STEP_CONNECT,
    SIM_STEP_GREETING,
    SIM_STEP_EHLO,
    SIM_STEP_STARTTLS,
    SIM_STEP_TLS,
    SIM_STEP_MAIL,
    SIM_STEP_RCPT,
    SIM_STEP_DATA,
    SIM_STEP_BODY, /* midway in the content */
    SIM_STEP_DOT,
    SIM_STEP_BDAT, /* in place of data and dot: the answer to a chunk */
    SIM_STEP_RSET,
    SIM_STEP_QUIT,
    SIM_STEPS
};

enum sim_fault_kind {
    SIM_FAULT_NONE,
    SIM_FAULT_DROP,       /* closes without an answer */
    SIM_FAULT_RESET,      /* the same with a TCP reset */
    SIM_FAULT_STALL,      /* never answers */
    SIM_FAULT_HALF,       /* half an answer, then closes */
    SIM_FAULT_HALF_STALL, /* half an answer, then nothing */
    SIM_FAULT_EARLY,      /* the answer goes out before the command has come */
    SIM_FAULT_GARBAGE,    /* bytes that are no reply */
    SIM_FAULT_421,        /* 421, then closes */
    SIM_FAULT_OVERSIZED,  /* one line of 200,000 bytes */
    SIM_FAULT_FLOOD,      /* 20,000 lines of one reply */
    SIM_FAULT_KINDS
};

/* Whether a message is kept when the answer to its final dot is spoilt. */
enum sim_keeps { SIM_KEEPS_SOMETIMES, SIM_KEEPS_ALWAYS, SIM_KEEPS_NEVER };

struct sim_fault {
    enum sim_step step;
    enum sim_fault_kind kind;
    enum sim_keeps keeps;
    double chance;     /* of each occasion, 0 to 1 */
    uint32_t every;    /* every n-th occasion instead; 0: by chance */
    uint32_t first;    /* only the first n occasions; 0: all */
    uint32_t attempts; /* only while an address was refused or hit less than n times; 0: always */
    size_t id;         /* a number of its own in the scenario */
};

/* What a provider limits. */
enum sim_limit {
    SIM_LIMIT_CONNECTIONS,            /* at a time */
    SIM_LIMIT_CONNECTIONS_PER_MINUTE, /* new ones */
    SIM_LIMIT_MESSAGES,               /* in a connection */
    SIM_LIMIT_RATE,                   /* messages a second */
    SIM_LIMIT_DAILY,                  /* messages a day */
    SIM_LIMIT_MAILBOX,                /* messages an hour to one recipient */
    SIM_LIMIT_RECIPIENTS,             /* in a message */
    SIM_LIMIT_SESSION_RECIPIENTS,     /* in a connection */
    SIM_LIMITS
};

/* Where in a conversation a limit answers. */
enum sim_gate { SIM_GATE_GREETING, SIM_GATE_MAIL, SIM_GATE_RCPT, SIM_GATE_DATA, SIM_GATE_DOT, SIM_GATES };

/* Which hosts of a provider count together, and which callers. */
enum sim_counted { SIM_COUNTS_GROUP, SIM_COUNTS_HOST, SIM_COUNTS_PROVIDER };
enum sim_client { SIM_CLIENT_ADDRESS, SIM_CLIENT_NET /* the /24 that it is in */ };

struct sim_limits {
    double most[SIM_LIMITS]; /* 0: no limit */
    uint32_t gate[SIM_LIMITS];
    bool closes[SIM_LIMITS]; /* hangs up after a refusal; a 421 always does */
    uint32_t burst, size, counts, client;
    double window_s;       /* the rate is counted in windows of so long; 0: by bucket */
    double daily_resets_s; /* of the day */
    bool session_voids;    /* who exceeds session_recipients loses all that the session brought */
};

/* Limits that hold from a time on. */
struct sim_change {
    double at_s; /* since the start, simulated */
    struct sim_limits limits;
};

/* What holds for a provider, or for one group of its hosts. */
struct sim_rules {
    struct sim_limits limits;        /* from the start */
    const struct sim_change *change; /* in order of time */
    size_t changes;
};

struct sim_group {
    struct slice name;
    struct sim_rules rules;
};

/* A client that goes on connecting while it is turned away is blocked, the longer the more it knocks. */
struct sim_knocking {
    uint32_t after; /* refused connections within a minute; 0: nobody minds */
    double block_s, longest_s;
};

enum sim_grey_by { SIM_GREY_TRIPLET, SIM_GREY_CLIENT, SIM_GREY_FROM_DOMAIN };

struct sim_greylist {
    double share; /* of the addresses */
    double delay_s, window_s /* for the second try; 0: no end */;
    uint32_t by, whitelist_after /* mails accepted; 0: never */;
    bool names_delay;
};

enum sim_standing_of { SIM_STANDING_CLIENT, SIM_STANDING_FROM, SIM_STANDING_BOTH };

/* How a provider judges who sends. Shares are of recipients, in the memory; 0 switches a threshold off. */
struct sim_reputation {
    uint32_t of;
    double memory_s; /* half of what was is forgotten in this time */
    uint32_t least;  /* recipients before it judges */
    double slow, defer, block;
    double slow_rate; /* messages a second for the slowed */
    double block_s;
    bool block_for_good; /* says 5xx while blocking, else 4xx */
    uint32_t unknown;    /* so many unknown users in the memory block, whatever their share */
    double traps, trap_weight;
    double jump;        /* an hour with so many times the mail of those before... */
    uint32_t jump_from; /* ...and at least this much */
    double jump_weight; /* ...adds this to the share */
};

enum sim_window_how { SIM_WINDOW_REFUSE, SIM_WINDOW_421, SIM_WINDOW_TIMEOUT, SIM_WINDOW_DROP };

/* A time in which hosts do not serve. */
struct sim_window {
    bool daily; /* at is a time of day */
    double at_s, for_s;
    double every_s; /* again and again; 0: once */
    enum sim_window_how how;
    uint64_t hosts; /* a bit for each listed host; 0: all */
};

struct sim_latency {
    double connect_ms, command_ms, data_ms, jitter;
    double tail; /* the slowest of a hundred takes so many times the middle one; up to 1: uniform by jitter */
    double tarpit_ms;         /* more for each command before, in a session */
    double slow, slow_factor; /* share of hosts, and how much slower they are */
    double read;              /* bytes a second of content; 0: as they come */
};

struct sim_host {
    struct slice name;
    uint32_t preference;
    struct slice group_name;
    uint32_t group; /* 0: the provider's own rules, else group[this - 1] */
};

struct sim_share {
    uint32_t what;
    double upto; /* of 1, summed */
};

enum sim_sizes { SIM_SIZES_ZIPF, SIM_SIZES_EVEN };

/* One text of a provider's own; what is not set comes from its manner. Index: enum sim_reply (sim_manner.h).
 */
enum { SIM_REPLIES_MAX = 40 };

struct yaml;

struct sim_provider {
    struct slice name;
    size_t index;
    unsigned line;
    double weight;             /* share of the audience, relative to the others */
    uint32_t manner;           /* index in sim_manner_names */
    struct sim_share *manners; /* of its hosts, instead; manner_count of them */
    size_t manner_count;
    struct slice *domain; /* listed ones; or a pattern: prefix NUMBER suffix */
    uint64_t domains;     /* how many */
    struct slice prefix, suffix;
    struct sim_host *host; /* listed ones that all domains share, or NULL: */
    uint32_t hosts;
    uint32_t own_hosts; /* each domain has so many of its own; or, with hosters, each hoster */
    uint64_t hosters;   /* so many share the domains among them; 0: none */
    struct slice hoster_prefix, hoster_suffix;
    uint32_t hoster_sizes;
    double dead;            /* share of the hosts that hang up on everybody */
    uint32_t first_address; /* its hosts have the addresses 127.0.0.0 + this, and on */
    uint32_t addresses;

    uint32_t dns;
    uint32_t dns_ttl;
    double dns_servfail, dns_silent, dns_lame; /* share of its domains */
    bool dns_truncate;                         /* answers over UDP are always cut */
    uint32_t ipv6;

    struct sim_rules rules;
    struct sim_group *group;
    uint32_t groups;
    size_t first_pool; /* in the statistics: one for itself, then one for each group */
    struct sim_knocking knocking;
    struct sim_latency latency;
    double unknown, full, full_for_s;
    uint32_t unknown_at;
    struct sim_greylist greylist;
    struct sim_reputation reputation;
    double defer_connect, defer_rcpt, defer_data; /* chances of a 4xx */
    double refuse_connect, refuse_rcpt, refuse_data, refuse_content;
    uint32_t tls, certificate, tls_version;
    bool pipelining, say_size, eightbit, enhanced, smtputf8;
    uint32_t chunking;
    struct slice limits; /* what LIMITS says (RFC 9422); empty: not offered */

    struct slice reply[SIM_REPLIES_MAX];
    struct sim_fault *fault;
    size_t faults;
    uint32_t faulty_steps; /* a bit for each step that has a fault */
    struct sim_window *window;
    size_t windows;
    bool limited; /* keeps account of its clients */

    /* While it is read only: lists that are read last, for they build on the rest. */
    const struct yaml *changes_node, *groups_node, *windows_node;
};

struct sim_names; /* the listed names, hashed */

struct sim_scenario {
    struct arena arena;
    const char *file;
    uint64_t seed;
    double speed;   /* simulated time over real time */
    double start_s; /* time of day at the start; -1: that of the machine (UTC) */
    struct sim_provider *provider;
    size_t providers;
    size_t faults; /* in all */
    size_t pools;
    struct sim_names *names;
};

/* Reads and checks. 0, or -1 with err; in both cases sim_scenario_done frees. */
int sim_scenario_read(struct sim_scenario *s, const char *path, struct err *err);
int sim_scenario_parse(struct sim_scenario *s, struct slice text, const char *name, struct err *err);
void sim_scenario_done(struct sim_scenario *s);

/* The words of the YAML for the values of each enum, ended by NULL. */
extern const char *const sim_step_names[], *const sim_fault_names[], *const sim_keeps_names[],
                                                                         *const sim_window_names[],
                                                                             *const sim_gate_names[],
                                                                                 *const sim_limit_names[],
                                                                                     *const sim_sizes_names[];

/* The n-th provider's domain number i, as text; out holds at least 256 bytes. Returns its length. */
size_t sim_domain_name(const struct sim_provider *p, uint64_t i, char out[256]);

/* The checked scenario for a person. */
struct buf;
void sim_scenario_print(const struct sim_scenario *s, struct buf *out);

#endif
