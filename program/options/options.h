/* The configuration: one table of options that drives reading, checking, `tsubame config` and the manual.
 *
 * A file is YAML. A key is found by its dotted path ("dns.servers"), written nested or with its dots. Every
 * option has a default; with no file at all the defaults alone make a working program. */
#ifndef TSUBAME_OPTIONS_H
#define TSUBAME_OPTIONS_H

#include "addr.h"
#include "buf.h"
#include "clock.h"
#include "profile.h"

enum option_type {
    OPTION_BOOL,      /* bool */
    OPTION_INT,       /* int64_t */
    OPTION_NUMBER,    /* double; least and most are thousandths */
    OPTION_SIZE,      /* int64_t bytes */
    OPTION_DURATION,  /* int64_t microseconds */
    OPTION_TIME,      /* wall_us, 0 when unset */
    OPTION_MODE,      /* int64_t */
    OPTION_ENUM,      /* int: index into words */
    OPTION_STRING,    /* const char *, NULL when unset */
    OPTION_DOMAIN,    /* the same, a host or domain name */
    OPTION_PATH,      /* the same, made relative to the file's folder */
    OPTION_ADDRESS,   /* struct net_addr */
    OPTION_ENDPOINT,  /* the same with a port, which must be given; NET_NONE when unset */
    OPTION_LISTEN,    /* struct net_addr, NET_NONE for off */
    OPTION_STRINGS,   /* struct option_strings */
    OPTION_ADDRESSES, /* struct option_addresses */
    OPTION_RECORDS    /* struct option_records of what `fields` describes */
};

struct option {
    const char *key;
    enum option_type type;
    size_t offset;        /* in struct options, or in the record */
    const char *fallback; /* the default as it would be written; NULL: unset or empty; "@key": the value of
                             that key */
    const char *unset;    /* when fallback is NULL: what that means, for people */
    int64_t least, most;  /* of numbers, or of how many in a list */
    const char *const *words; /* of an enum, NULL at the end */
    uint16_t port;            /* of an address written without one */
    bool reload;              /* takes effect on SIGHUP */
    const char *help;
    const char *sample; /* of a record's field: what `config defaults` shows in place of the default */
    const struct option *fields; /* of records */
    size_t field_count;
    size_t record_size;
};

struct option_strings {
    const char *const *at;
    size_t count;
};
struct option_addresses {
    const struct net_addr *at;
    size_t count;
};
struct option_records {
    void *at;
    size_t count;
};
struct option_place {
    const char *file; /* NULL: the default holds */
    unsigned line, column;
    uint64_t given; /* of a record: which of its fields are there, as bits by their index */
};

struct option_limits {
    int64_t connections, messages_per_connection, messages_per_second, connections_per_minute;
};
struct option_provider {
    struct option_place place;
    const char *name;
    struct option_strings mx;
    struct option_limits limits;
    int by;  /* enum option_by */
    int tls; /* enum option_tls */
    bool bdat;
};
/* How mail goes to a provider, besides its profile. */
struct option_way {
    int tls; /* enum option_tls */
    bool bdat;
};
struct option_source {
    struct option_place place;
    const char *name;
    struct net_addr address; /* NET_NONE: the system chooses */
    const char *helo;
    struct {
        int protocol; /* enum option_proxy */
        struct net_addr address;
        const char *user, *password_file;
    } proxy;
};

struct option_dkim {
    struct option_place place;
    const char *domain, *selector, *key_file;
    wall_us from, until;
    bool any_from;
};

enum option_tls { OPTION_TLS_OFF, OPTION_TLS_OPPORTUNISTIC, OPTION_TLS_REQUIRED };
enum option_proxy { OPTION_PROXY_NONE, OPTION_PROXY_HAPROXY, OPTION_PROXY_SOCKS5 };
enum option_by { OPTION_BY_PROVIDER, OPTION_BY_SITE };
enum option_uncertain { OPTION_UNCERTAIN_RESEND, OPTION_UNCERTAIN_HOLD };
enum { OPTION_MOST = 64 };

/* What is in force. All that it points to lives as long as it. */
struct options {
    const char *file; /* NULL: none was read */
    struct arena *arena;
    struct option_place origin[OPTION_MOST]; /* by index in options_table */

    struct {
        const char *path;
        int64_t map_size, reserve;
    } store;
    struct {
        struct option_addresses servers;
        const char *trust_anchor;
    } dns;
    struct {
        int64_t port, workers, max_sessions, idle, idle_sessions, connect_timeout, expire, grace;
        double timeout_scale;
        struct option_addresses bind;
        const char *helo;
        bool private_hosts;
        bool bdat;
        int uncertain;
        struct {
            int64_t first, most;
            double factor;
        } retry;
    } deliver;
    struct {
        int mode;
        const char *ca_file;
    } tls;
    struct option_limits limits;
    bool profiles;                   /* the built-in ones count too */
    struct option_records providers; /* struct option_provider, as the file has them */
    /* What is in force, made of both (options_providers.c): the configuration's first. ways: of each. */
    struct profile *known;
    struct option_way *ways;
    size_t known_count;
    struct profile other;          /* of whoever is not known */
    struct option_records sources; /* struct option_source; never empty: made from deliver.* when not given */
    struct option_records dkim;    /* struct option_dkim */
    struct {
        const char *message_id_domain, *return_path_domain;
    } identity;
    struct {
        const char *socket;
        int64_t mode;
    } control;
    struct {
        struct net_addr listen;
    } metrics;
    struct {
        const char *folder; /* NULL: none */
    } attachments;
    struct {
        bool automatic;
        int64_t after;
    } suppress;
    struct {
        int64_t keep, max_size, pace, age, memory;
    } history;
    struct {
        int level; /* index into error, warn, info, debug, off */
        bool outcomes;
        const char *file; /* NULL: standard error */
    } log;
    struct {
        const char *rules;
    } replies;
    struct {
        const char *user, *group;
    } run;
};

/* The table, in the order of the manual. */
const struct option *options_table(size_t *count);

/* file: NULL for none. sets: "key=value" each, over the file. Every problem found appends a line to
 * `problems`
 * ("file:line:column: key: what was expected"); with any of them NULL is returned. options_free frees. */
struct options *options_load(const char *file, const char *const *sets, size_t set_count,
                             struct buf *problems);
void options_free(struct options *o);

/* The same from text instead of a file (tests, fuzzing); `name` stands for it in messages and gives paths
 * their folder. */
struct options *options_parse(struct slice text, const char *name, struct buf *problems);

/* What is in force as YAML, the origin of each value behind it. */
void options_show(const struct options *o, struct buf *out);
/* The value of one option as it would be written. base: the struct that its offset belongs to. */
void option_put_value(const struct option *opt, const void *base, struct buf *out);
/* What a message about the place opens with: "tsubame.yaml:12:3: ". */
void option_put_place(const struct option_place *place, struct buf *out);
/* "tsubame.yaml:12", "--set" or "default". */
void option_put_origin(const struct option_place *place, struct buf *out);

/* A file that says what holds without it, each key explained. Reading it changes nothing. */
void options_defaults(struct buf *out);
/* docs/configuration.md */
void options_manual(struct buf *out);

/* The sections of tsubame.yaml(5) that describe the keys, as roff (roff.h). */
void options_roff(struct buf *out);

/* How a value of the option's type is described: "a duration such as 30s, 5m or 2h". */
void option_put_expected(const struct option *opt, struct buf *out);

#endif
