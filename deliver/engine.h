/* The engine: one owner thread that holds queue and lanes, and the workers that speak SMTP.
 *
 * Program starts it on an open store and asks it from any thread. Everything asked goes through a mailbox to
 * the owner thread and is answered there; calls below block the caller until it is. */
#ifndef TSUBAME_ENGINE_H
#define TSUBAME_ENGINE_H

#include "addr.h"
#include "classify.h"
#include "course.h"
#include "err.h"
#include "forecast.h"
#include "learn.h"
#include "orders.h"
#include "proxy.h"
#include "retry.h"
#include "rid.h"
#include "row.h"
#include "store.h"
#include "suppress.h"

enum engine_tls { ENGINE_TLS_OFF, ENGINE_TLS_OPPORTUNISTIC, ENGINE_TLS_REQUIRED };

/* A provider: whose mail exchangers end in one of the suffixes; of several that fit the one with the longest,
 * and the configuration's own before others. What matches none is a provider of its own, named by its mail
 * exchangers. */
struct provider_options {
    const char *name;
    const char *const *mx_suffixes; /* ".google.com": ends with it; "mx.example.com": equals */
    size_t mx_suffix_count;
    bool own;     /* goes before those that are not */
    bool by_site; /* each set of its exchangers is a lane of its own */
    struct learn_profile profile;
    enum engine_tls tls;
    bool bdat;
};

struct source_options {
    const char *name;
    bool bind; /* else the system chooses */
    struct net_addr address;
    const char *helo;
    struct proxy_options proxy; /* PROXY_NONE: this machine's own; else `address` is one of the proxy's */
};

/* A DKIM key; which of them sign a mail: dkim_choice.h. */
struct dkim_options {
    const char *domain, *selector, *key_file;
    wall_us from, until; /* 0: without such a bound */
    bool any_from;
};

/* All strings outlive the engine. */
struct engine_options {
    unsigned workers;
    unsigned max_sessions;
    uint16_t port; /* where mail exchangers listen: 25 */
    struct net_addr dns_servers[8];
    size_t dns_server_count;      /* 0: the system's */
    const char *dns_trust_anchor; /* NULL: no DNSSEC */
    const char *tls_ca_file;      /* NULL: the system's */
    bool private_hosts; /* mail exchangers need not be on public addresses (mx_answer_keep_public) */
    struct learn_profile default_profile; /* of lanes to what is no provider of the list */
    enum engine_tls default_tls;
    bool default_bdat; /* BDAT where it is offered and works */
    const struct provider_options *providers;
    size_t provider_count;
    const struct source_options *sources;
    size_t source_count; /* at least 1 */
    struct retry_options retry;
    const char *message_id_domain;   /* NULL: the From domain */
    const char *return_path_domain;  /* NULL: the From address is the return path; else VERP at this domain */
    const struct dkim_options *dkim; /* read at start, then no more */
    size_t dkim_count;               /* 0: unsigned */
    int64_t idle_us;                 /* how long a session without work is kept */
    unsigned idle_sessions;          /* so many of them at most */
    int64_t connect_us;              /* deadline of a connection attempt */
    double timeout_scale;            /* of RFC 5321's time-outs; 1 outside of tests */
    bool log_outcomes;               /* a log line for each */
    int personal_folder;             /* descriptor of the folder of recipients' own files; -1: none */
    bool suppress_auto;              /* answers put addresses on the suppression list */
    unsigned suppress_after;         /* failures in a row that do, where one is not certain; 0: never */
    const struct classify_rules *rules; /* what replies mean; outlive the engine */
};

struct engine;

/* Recovers the ledger and starts the threads. The store stays open and the program's until engine_stop has
 * returned. Returns NULL with err. */
struct engine *engine_start(const struct engine_options *options, struct store *store, struct err *err);

/* No new mail is begun; what is under way is finished, for at most `grace_us`; then every session is cut (its
 * open mails become returned or uncertain, as they are), a checkpoint is written and the threads end. Frees
 * the engine. */
void engine_stop(struct engine *e, int64_t grace_us);

/* Reads these keys instead; mail that is signed after the return is signed with them. -1 with err: the old
 * ones stay. Any thread. */
int engine_set_dkim(struct engine *e, const struct dkim_options *keys, size_t count, struct err *err);

/* The ledger's keys for public encodings (rid.h), newest first. Valid while the engine lives. */
const struct rid_key *engine_rid_keys(const struct engine *e, size_t *count);

/* A new campaign under CAMPAIGN_LOADING. Checks the name (unique among those not done). Fills row->id,
 * hash_seed, created; durable on return. */
int engine_campaign_begin(struct engine *e, struct campaign_row *row, struct slice payload, struct err *err);
/* All chunks are durable: the campaign turns to ready (or held) with this tally. Durable on return. */
int engine_campaign_ready(struct engine *e, uint32_t id, uint32_t chunks, const struct tally *tally,
                          bool held, struct err *err);
/* Loading failed or was given up: everything of it is removed. */
int engine_campaign_abandon(struct engine *e, uint32_t id, struct err *err);
int engine_campaign_hold(struct engine *e, uint32_t id, struct err *err);
int engine_campaign_resume(struct engine *e, uint32_t id, struct err *err);
int engine_campaign_cancel(struct engine *e, uint32_t id, struct err *err);
/* Its priority, weight, not_before or deadline; `by` (who) stands in the audit trail. Mail that is on its way
 * to a session goes on. ERR_INPUT as campaign_course_change. */
int engine_campaign_change(struct engine *e, uint32_t id, const struct campaign_change *change,
                           struct slice by, struct err *err);
/* Into the audit trail (note.h), with the next commit. */
struct note;
int engine_note(struct engine *e, const struct note *n, struct err *err);

/* The suppression list is changed, durably on return; who is on it is not begun from then on. Each entry is
 * told what came of it. row: parts may be left open (suppress_merge). -1 with err: ERR_INPUT (no address),
 * ERR_SPACE (the disk is nearly full); some may have been done. At most ENGINE_SUPPRESS_MOST at a time. */
enum { ENGINE_SUPPRESS_MOST = 512 };
struct suppress_entry {
    struct slice address; /* canonical: address_parse */
    struct suppress_row row;
    enum suppress_change change; /* out */
};
int engine_suppress(struct engine *e, uint32_t tenant, enum suppress_source source,
                    struct suppress_entry *entries, size_t count, struct err *err);
int engine_unsuppress(struct engine *e, uint32_t tenant, struct suppress_entry *entries, size_t count,
                      struct err *err);

/* ---- hands on the wheel (docs/hands.md) ---- */

/* What a selector touches. By campaign, tenant and identity the campaigns' sums tell it. Where mail goes is
 * counted one by one, a slice of the backlog at a time, beside all other work; where little else waits,
 * chunks that were not taken apart and the retry table are gone through too, so that only those are left of
 * whose domains nobody knows the provider. Else these are `maybe`: so many at most are named besides. */
struct engine_touch {
    uint64_t recipients; /* pending, and not on the wire */
    uint64_t maybe;
    uint64_t leased; /* of those that it names, on the wire now */
    uint32_t campaigns, lanes;
    bool strange; /* it names a provider that no lane has */
};
/* The selector is changed as by selector_check (texts: for that). until: what has not been counted by then is
 * told as `maybe`. -1 with err: ERR_INPUT, ERR_ABSENT (a campaign or source that there is not). */
int engine_touch(struct engine *e, struct selector *of, struct buf *texts, mono_us until,
                 struct engine_touch *out, struct err *err);

struct engine_hand {
    enum order_kind kind;
    struct selector of; /* checked */
    struct slice to;    /* ORDER_ROUTE */
    struct slice by, reason;
    wall_us until;    /* 0: until it is taken back */
    uint64_t touched; /* as the preview said: for the audit trail */
};
/* Durable on return, and from then on nothing that it names is begun otherwise. One of the same kind about
 * the same mail is replaced. A suspension of nothing but a campaign holds it; a cancellation of nothing but
 * one cancels it as engine_campaign_cancel does (*number is 0 then). */
int engine_order(struct engine *e, const struct engine_hand *hand, uint64_t *number, struct err *err);
/* Takes one back. ERR_ABSENT: there is none of that number; ERR_INPUT: it is a cancellation. */
int engine_order_end(struct engine *e, uint64_t number, const struct engine_hand *hand, struct err *err);
/* What waits for a later try is tried now. */
int engine_flush(struct engine *e, const struct engine_hand *hand, struct err *err);
/* The campaign goes on, and orders that suspend nothing but it are over. */
int engine_resume(struct engine *e, uint32_t campaign, const struct engine_hand *hand, struct err *err);

struct order_status {
    struct order order; /* its slices point into `texts` */
    char texts[ORDER_NAME_MAX * 6 + ORDER_TEXT_MAX];
    /* ORDER_CANCEL, so far, since start: */
    uint64_t cancelled;
    uint64_t finished; /* were on the wire, and came to another end there */
};
/* Fills at most `most`; returns how many there are. */
size_t engine_orders(struct engine *e, struct order_status *out, size_t most);

/* What is shown of campaigns and lanes, as of now. */
struct campaign_status {
    uint32_t id;
    char name[128];
    enum campaign_state state;
    struct tally tally;
    uint64_t leased, deferred; /* parts of pending */
    wall_us created, ready, expires, ended;
    struct campaign_course course;
    bool waits; /* for its not_before */
};
/* Fills at most `most`, the newest first; returns how many there are. */
size_t engine_campaigns(struct engine *e, struct campaign_status *out, size_t most);
int engine_campaign(struct engine *e, uint32_t id, struct campaign_status *out, struct err *err);
/* Of that name (of several the newest), else with that number. */
int engine_campaign_find(struct engine *e, struct slice name, struct campaign_status *out, struct err *err);

/* When a campaign will be through, as things are now. */
struct plan_lane {
    char provider[128];
    char source[64];
    uint64_t waiting; /* of the campaign */
    uint64_t others;  /* of all others */
    double rate;      /* recipients a second; 0: not known yet */
    bool measured;    /* else it is the limit that was learned */
    double seconds;   /* until it is through; INFINITY: not known */
    enum forecast_help help;
};
enum { PLAN_LANES = 64 };
struct plan {
    struct campaign_status campaign;
    wall_us made;
    struct plan_lane lanes[PLAN_LANES]; /* the last to be through first */
    size_t count;                       /* of lanes; those beyond PLAN_LANES are told of in the sums */
    uint64_t waiting;                   /* in all lanes */
    uint64_t unplaced; /* their lanes are not known yet: not looked up, or the campaign has not begun */
    uint64_t unknown;  /* in lanes whose rate is not known */
    double seconds;    /* of the last lane whose rate is known */
};
int engine_plan(struct engine *e, uint32_t id, struct plan *plan, struct err *err);

struct lane_status {
    char provider[128], source[128];
    uint32_t sessions, waiting; /* open sessions; recipients known to wait for this lane (in chunks that are
                                   known to be its) */
    uint32_t suspended;         /* recipients of it that wait, and an order keeps them */
    uint32_t in_flight;         /* messages handed to sessions and not answered */
    double rate;                /* messages a second that were taken, in the last ten seconds */
    uint64_t delivered, deferred, failed;
    bool down;            /* shut, for whatever reason: nothing is sent but a try now and then */
    bool tail;            /* of exchangers that belong to no configured provider: it comes and goes */
    char last_error[512]; /* the last refusal or failure, in the receiver's words */
    /* What it has learned, as in struct learn_state. */
    enum learn_dimension bound;                             /* what holds it back now */
    double limit[LEARN_DIMENSIONS], kept[LEARN_DIMENSIONS]; /* by enum learn_dimension; 0: none known */
    bool by_host;                                           /* each host counts its own connections */
    double next_value; /* what it will try next, in the unit of `bound` */
    wall_us next_try;  /* 0: nothing is planned */
    struct {
        wall_us at; /* 0: nothing has happened yet */
        enum learn_cause cause;
        int code; /* of the reply; 0: none */
        char words[LEARN_WORDS];
    } since;            /* the last change of `bound` */
    char sentence[512]; /* all this for people; "" on tail lanes that nothing holds back */
};
/* Fills at most `most`; returns how many there are. provider: only its lanes; NULL: all. */
size_t engine_lanes(struct engine *e, const char *provider, struct lane_status *out, size_t most);

struct source_status {
    char name[128];
    bool proxied, down;   /* down: its proxy does not work, and no session is opened from it now */
    uint64_t failed;      /* sessions that its proxy made fail, since start */
    char last_error[256]; /* of the proxy; "" when there was none */
};
size_t engine_sources(struct engine *e, struct source_status *out, size_t most);

struct engine_counters {
    uint64_t delivered, deferred, failed, uncertain, returned; /* since start */
    uint64_t sessions_open, sessions_opened, sessions_failed;
    uint64_t tail_delivered, tail_deferred,
        tail_failed;                        /* of these, on tail lanes, also those that are gone */
    uint64_t sessions_let_in, sessions_tls; /* the greeting was passed; these under TLS */
    uint64_t dns_failures;                  /* look-ups without an answer, or with a forged one */
    int64_t lag_us; /* how late the owner came to its timer, the worst of the last half minute */
    uint64_t dns_queries, chunks_open, retries_waiting;
    uint64_t blocks, block_bytes;
    uint64_t suppressed;                        /* recipients that were not sent to */
    uint64_t suppress_added[SUPPRESS_REASONS];  /* addresses put on the list, by reason */
    uint64_t suppress_listed, suppress_counted; /* rows now */
    uint64_t suppress_asked;                    /* questions that the filter could not answer */
    bool stalled;                               /* commits fail (disk full?): nothing new is leased */
    char stall_text[256];
};
void engine_counters(struct engine *e, struct engine_counters *out);

/* The projector has folded every block up to `sequence` into the history: older ones may go. Any thread. */
void engine_projected(struct engine *e, uint64_t sequence);
/* The newest committed block. Any thread. */
uint64_t engine_committed(struct engine *e);

/* Calls `wake` (owner thread; must not block) whenever blocks were committed, for the projector. */
void engine_on_commit(struct engine *e, void (*wake)(void *ctx, uint64_t sequence), void *ctx);

#endif
