/* A made-up world for the tests of the engine: mail servers on 127.0.7.N, a DNS server, a store, and a record
 * of every mail that a server took. */
#ifndef TSUBAME_TEST_ENGINE_WORLD_H
#define TSUBAME_TEST_ENGINE_WORLD_H

#include "engine.h"
#include "store_test_dir.h"

#include <pthread.h>

enum { HOSTS_MAX = 16, RCPTS_MAX = 64, TAKEN_MAX = 8192, PEERS_MAX = 256 };

enum drop { DROP_NEVER, DROP_AT_DATA, DROP_AFTER_DOT, DROP_AT_GREETING };

/* One mail server. What it does is set before it is opened. Recipients named "unknown..." are refused,
 * "later..." and "grey..." are refused at their first try, "full..." while mailboxes are full, "over..." is
 * refused for now at every try. */
struct host {
    unsigned number;               /* 127.0.7.number; 0: none */
    bool starttls;                 /* offers it, and fails in the handshake, unless it has a certificate */
    struct slice certificate, key; /* PEM, borrowed */
    enum drop drop;
    unsigned drops;         /* so many times */
    unsigned session_mails; /* then 421; 0: any */
    unsigned most_sessions; /* at a time, else 421; 0: any */
    unsigned slow_ms;       /* before the answer to the dot */
    unsigned rcpt_max;      /* recipients in a transaction, else 452; 0: any */
    bool says_limits;       /* RCPTMAX in its answer to EHLO */
    bool bdat_unknown;      /* offers CHUNKING, and does not know BDAT */
    unsigned greet_ms;      /* before its greeting, but of the first session */
    unsigned idle_ms;       /* after that long without a command 421 and the end; 0: never */
    unsigned per_second;    /* mails, and as many at once, else 451; 0: any */
    unsigned takes; /* so many mails, then each is refused for a pause of 3 s; 0: any; under the lock */
    bool unwelcome; /* 421 for a greeting */
    bool away;      /* what is open is cut at the next command; under the world's lock */
    unsigned
        stalls_after; /* so many mails of the first session, and the next MAIL is not answered; 0: never */
    /* What was seen. */
    int listener;
    bool closing;
    pthread_t thread;
    struct world *world;
    unsigned sessions, sessions_top, opened, mails_top;
    unsigned transactions; /* contents taken */
    unsigned turned_away;  /* mails above session_mails, per_second, or takes */
    unsigned refused;      /* sessions above most_sessions */
    double tokens;         /* of per_second */
    mono_us filled;
};

struct taken {
    char to[64];
    char message_id[96];
    bool told; /* its 250 was sent */
    unsigned host;
    mono_us at;
};

struct world {
    struct test_dir dir;
    struct store *store;
    struct engine *engine;
    struct engine_options options;
    struct source_options source;
    bool shared; /* campaigns are of a shared mail */
    struct classify_rules *rules;
    pthread_mutex_t lock;
    struct host hosts[HOSTS_MAX];
    struct taken taken[TAKEN_MAX]; /* mails whose dot arrived */
    unsigned taken_count;
    unsigned asked_count; /* RCPT commands */
    bool mailboxes_full;
    char seen[256][64]; /* recipients refused once, and when */
    mono_us seen_at[256];
    unsigned seen_count;
    pthread_t peers[PEERS_MAX];
    unsigned peer_count;
    int dns;
    pthread_t dns_thread;
    bool dns_broken, dns_silent, ending;
    unsigned wanders_to; /* the host of "wanders.test" */
};

/* What a lane never goes beyond; 0: whatever it learns. */
struct world_ceilings {
    unsigned connections, messages_per_connection, messages_per_second, connections_per_minute;
};
/* A lane begins so fast that nothing waits for what is learned upward. */
struct learn_profile world_profile(struct world_ceilings most);
void world_init(struct world *w);
void world_done(struct world *w); /* the engine is stopped */

/* One more server; fields of the returned host may be set before host_open. */
struct host *world_host(struct world *w, unsigned number);
void host_open(struct host *h);
void host_close(struct host *h);

/* From now on every look-up fails, or is not answered at all. */
void world_dns(struct world *w, bool broken, bool silent);
void world_wander(struct world *w, unsigned host); /* "wanders.test" is at this host from now on */
void *world_dns_run(void *world);                  /* the thread that answers: test_world_dns.c */

/* Whether the store's commits fail. */
void world_disk(bool full);

void world_engine(struct world *w);
void world_engine_stop(struct world *w, int64_t grace_us);

/* Recipients: the CSV's lines below "email,agent". Returns the campaign's number. */
uint32_t world_campaign(struct world *w, const char *rows, bool hold_uncertain, int64_t lasts_us);
/* The same with `count` rows "NAMEi@DOMAIN". */
uint32_t world_many(struct world *w, const char *name, const char *domain, unsigned count);

/* Waits until the campaign is at its end, or `until` says so; fails the test after 20 s. */
struct campaign_status world_wait(struct world *w, uint32_t id,
                                  bool (*until)(const struct campaign_status *s));
struct campaign_status world_now(struct world *w, uint32_t id);

/* How often a recipient's mail was taken, in all and with its 250 told. */
unsigned world_taken(struct world *w, const char *to, bool told);

/* The equation holds; as many recipients as the ledger calls delivered were told so by a server; a second
 * copy has the same identity, and there are no more of them than the ledger was in doubt about. */
void world_check(struct world *w, const struct campaign_status *s);

#endif
