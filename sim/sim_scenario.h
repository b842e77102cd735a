/* What the fake internet consists of: providers with their domains, hosts, limits and faults, read from YAML.
 *
 * A scenario is read once, checked whole (every error names file, line, column and what was expected) and
 * never changes while it runs. Everything lives in its arena. docs/sim.md describes the keys. */
#ifndef TSUBAME_SIM_SCENARIO_H
#define TSUBAME_SIM_SCENARIO_H

#include "arena.h"
#include "err.h"

enum { SIM_HOSTS_MAX = 64, SIM_FAULTS_MAX = 64, SIM_ADDRESSES = 1 << 24 };

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

struct sim_host {
    struct slice name;
    uint32_t preference;
};

/* One text of a provider's own; what is not set comes from its manner. Index: enum sim_reply (sim_manner.h).
 */
enum { SIM_REPLIES_MAX = 24 };

struct sim_provider {
    struct slice name;
    size_t index;
    unsigned line;
    double weight;        /* share of the audience, relative to the others */
    uint32_t manner;      /* index in sim_manner_names */
    struct slice *domain; /* listed ones; or a pattern: prefix NUMBER suffix */
    uint64_t domains;     /* how many */
    struct slice prefix, suffix;
    struct sim_host *host; /* shared ones, or NULL: each domain has own_hosts of its own */
    uint32_t hosts;
    uint32_t own_hosts;
    uint32_t first_address; /* its hosts have the addresses 127.0.0.0 + this, and on */
    uint32_t addresses;

    uint32_t dns;
    uint32_t dns_ttl;
    double dns_servfail, dns_silent; /* share of its domains */
    bool dns_truncate;               /* answers over UDP are always cut */
    uint32_t ipv6;

    uint32_t connections, connections_per_minute, messages, recipients, session_recipients, size, burst;
    double rate; /* messages a second; 0: no limit, as with all limits */
    double connect_ms, command_ms, data_ms, jitter;
    double unknown, full, full_for_s;
    uint32_t unknown_at;
    double greylist, greylist_s;
    double defer_rcpt, defer_data;
    uint32_t tls, certificate;
    bool pipelining, say_size, eightbit, enhanced, smtputf8;
    uint32_t chunking;
    struct slice limits; /* what LIMITS says (RFC 9422); empty: not offered */

    struct slice reply[SIM_REPLIES_MAX];
    struct sim_fault *fault;
    size_t faults;
    uint32_t faulty_steps; /* a bit for each step that has a fault */
};

struct sim_names; /* the listed names, hashed */

struct sim_scenario {
    struct arena arena;
    const char *file;
    uint64_t seed;
    struct sim_provider *provider;
    size_t providers;
    size_t faults; /* in all */
    struct sim_names *names;
};

/* Reads and checks. 0, or -1 with err; in both cases sim_scenario_done frees. */
int sim_scenario_read(struct sim_scenario *s, const char *path, struct err *err);
int sim_scenario_parse(struct sim_scenario *s, struct slice text, const char *name, struct err *err);
void sim_scenario_done(struct sim_scenario *s);

/* The words of the YAML for the values of each enum, ended by NULL. */
extern const char *const sim_step_names[], *const sim_fault_names[], *const sim_keeps_names[];

/* The n-th provider's domain number i, as text; out holds at least 256 bytes. Returns its length. */
size_t sim_domain_name(const struct sim_provider *p, uint64_t i, char out[256]);

/* The checked scenario for a person. */
struct buf;
void sim_scenario_print(const struct sim_scenario *s, struct buf *out);

#endif
