/* What a lane (source x provider) may do, learned from what its servers do. Pure: events and `now` in,
 * permits out; no clock, no I/O. docs/lanes.md tells the whole.
 *
 * Composed of parts that know nothing of each other: pace (messages a second), crowd (connections at a
 * time), knock (new connections a minute), span (messages in a connection), quota (messages a day) and a gate
 * (nothing at all: an outage, a pause that was asked for, a lane that is refused altogether). What comes here
 * is which of them a refusal speaks of: by its words where they say so, else by which of them stands at a
 * height that it had not proven before. What was blamed wrongly is refuted by what is taken later.
 *
 * An attempt to connect is reported begun (learn_open) and then let in, turned away or unreachable; a session
 * that was let in ends with learn_left. Each message that was granted is either answered or given back.
 * Every event may have made room: ask again. */
#ifndef TSUBAME_LEARN_H
#define TSUBAME_LEARN_H

#include "classify.h"
#include "crowd.h"
#include "knock.h"
#include "luck.h"
#include "pace.h"
#include "span.h"
#include "yield.h"

enum { LEARN_HOSTS = 8, LEARN_WORDS = 120 };

/* Stored: numbers don't change. */
enum learn_dimension {
    LEARN_NOTHING = 0,
    LEARN_CONNECTIONS = 1,     /* at a time */
    LEARN_RATE = 2,            /* messages a second */
    LEARN_PER_CONNECTION = 3,  /* messages in a connection */
    LEARN_NEW_CONNECTIONS = 4, /* a minute */
    LEARN_QUOTA = 5,           /* messages a day */
    LEARN_PAUSE = 6,           /* it said for how long to stay away */
    LEARN_REFUSED = 7,         /* altogether */
    LEARN_OUTAGE = 8,          /* no connection to any of its hosts */
    LEARN_DIMENSIONS
};
const char *learn_dimension_name(enum learn_dimension d); /* "connections", "rate", "per-connection", ... */

/* 0: none. Within floor and ceiling it is learned. */
struct learn_bounds {
    double floor, start, ceiling;
};
struct learn_profile {
    struct learn_bounds connections;     /* at a time */
    struct learn_bounds rate;            /* messages a second */
    struct learn_bounds per_connection;  /* messages */
    struct learn_bounds new_connections; /* a minute */
    struct learn_bounds quota;           /* messages a day; floor and start are not looked at */
};

/* What a server said. */
struct learn_reply {
    struct classify_verdict verdict; /* CLASSIFY_DELIVERED: taken */
    enum classify_stage stage;
    int code;           /* 0: none; the connection broke or timed out */
    struct slice words; /* of the reply */
};

/* A change, for people and the audit trail. */
enum learn_cause {
    LEARN_BY_REPLY,   /* words says which */
    LEARN_BY_SILENCE, /* a connection broke, or nothing came */
    LEARN_BY_TRYING,  /* more was tried and taken */
    LEARN_BY_RETURN,  /* it was shut and is open again */
    LEARN_BY_MEMORY,  /* known from before the start */
    LEARN_BY_LATENCY, /* answers came slower */
    LEARN_BY_DOUBT    /* an earlier belief was refuted */
};
struct learn_change {
    mono_us at;
    enum learn_dimension dimension;
    double from, to; /* in the dimension's unit; 0: none known; seconds for pauses */
    enum learn_cause cause;
    int code;
    struct slice words; /* valid during the call */
};
typedef void learn_changed(void *ctx, const struct learn_change *change);

struct learn_why { /* the last cause of a dimension */
    mono_us at;
    double value;
    enum learn_cause cause;
    int code;
    char words[LEARN_WORDS];
};

struct learn_gate {
    enum learn_dimension kind; /* LEARN_NOTHING: open; LEARN_QUOTA, _PAUSE, _REFUSED, _OUTAGE */
    struct door door;
};

struct learn_quota {
    double limit; /* messages a day; 0: none known */
    double ceiling;
    double used;     /* since the last reset */
    mono_us resets;  /* the next reset; 0: not known */
    uint32_t beyond; /* taken beyond the limit since then */
};

struct learn {
    struct learn_profile profile;
    struct pace pace;
    struct crowd crowd; /* of all hosts together */
    struct knock knock;
    struct span span;
    struct learn_quota quota;
    struct learn_gate gate;
    uint16_t in[LEARN_HOSTS], open[LEARN_HOSTS];
    uint8_t hosts;      /* seen, as bits */
    uint8_t full;       /* those that refused one while all together had crowd.cap, as bits */
    uint32_t full_with; /* connections, when the last of them refused one */
    mono_us full_at;
    bool elsewhere;            /* one is being opened to see whether another host takes more */
    struct crowd *by_host;     /* LEARN_HOSTS of them, when each counts for itself; else NULL */
    struct pace *pace_by_host; /* the same; pace then only keeps the profile's ceiling */
    struct learn_share {
        double taken, turned; /* messages; older ones fade */
    } share[LEARN_HOSTS];
    struct luck luck;       /* connections that are refused by chance */
    uint32_t in_flight;     /* messages granted and not answered */
    double latency, spread; /* from granting to answer, us; smoothed */
    double service;         /* from the answer before in the same session, us; smoothed */
    double service_known;   /* as it was while all went well */
    struct yield yield;
    uint32_t busy;                /* sessions with messages that were granted and not answered */
    uint32_t leaving;             /* sessions that end because fewer bring as much */
    mono_us taken_at, refused_at; /* the last messages */
    mono_us turned_at, crowd_at;  /* the last connection that was refused; that was one too many */
    mono_us moves_at;             /* their number seemed to have moved down */
    mono_us heard_at;             /* the last word of any server; or one more was tried for want of it */
    mono_us cleared_at;           /* refusals of messages turned out to be no matter of the pace */
    double rate_told;             /* the rate as it was told last */
    mono_us now;
    mono_us denied[LEARN_DIMENSIONS]; /* when it last held something back */
    struct learn_why *why;            /* of LEARN_DIMENSIONS; NULL while there is none */
    learn_changed *changed;
    void *ctx;
};

/* Embedded in a session of the caller. */
struct learn_session {
    uint8_t host;
    bool in;                     /* let in and not yet left */
    bool ended;                  /* a refusal was its end: nothing more is granted */
    uint8_t stuck;               /* refused behind the last message that was answered */
    bool afresh;                 /* opened because all others hang */
    bool elsewhere;              /* opened to see whether another host takes more */
    bool probe;                  /* opened while the gate was shut: one message */
    bool knock;                  /* what it got last was a try at a pace that is shut */
    bool surplus;                /* it ends because fewer bring as much */
    uint32_t flying;             /* messages granted and not answered */
    uint32_t span;               /* messages it may carry; 0: any number */
    uint32_t granted;            /* and not given back */
    uint32_t answered;           /* for what reason ever, save limits */
    mono_us let_in, answered_at; /* answered_at: the last one */
};

/* changed may be NULL. Holds memory of its own only once something was refused. */
void learn_init(struct learn *l, const struct learn_profile *profile, learn_changed *changed, void *ctx,
                mono_us now);
void learn_done(struct learn *l);

/* ---- permits ---- */

/* May a session to that host (0 to LEARN_HOSTS - 1, others fold into it) be opened? Then it counts as begun,
 * and *s is set. wanted: all sessions are busy and work waits. If not, *when says when to ask again; NEVER:
 * after the next event. */
bool learn_open(struct learn *l, struct learn_session *s, unsigned host, bool wanted, mono_us now,
                mono_us *when);
/* May another host be open to a session where one was not? */
bool learn_hosts_differ(const struct learn *l);
/* How many of `want` messages may be given to this session now; they count as sent. 0: *when says when to ask
 * again; NEVER: this session gets no more and should end. */
unsigned learn_take(struct learn *l, struct learn_session *s, unsigned want, mono_us now, mono_us *when);
/* Is the lane, or that host, shut, so that nothing is to be sent now? What was granted and is not
 * begun is better given back. */
bool learn_stands_still(const struct learn *l, unsigned host);
/* These were not sent after all. */
void learn_give_back(struct learn *l, struct learn_session *s, unsigned n);
/* They were begun, and no answer of theirs will come: the connection broke. That says nothing of them. */
void learn_unanswered(struct learn *l, struct learn_session *s, unsigned n);
/* What was granted as one message has become so many more: the next ones wait for it. */
void learn_charge(struct learn *l, struct learn_session *s, unsigned n, mono_us now);
/* A person asks for another try now: each door that is shut (a gate, new connections, the pace of a host)
 * lets one knock through at once, whatever its time. What was learned stays, and so does how long a door was
 * shut when the knock is refused. False: no door is shut. */
bool learn_knock(struct learn *l, mono_us now);
/* Moves what time moves. Returns when to call again at the latest. */
mono_us learn_tick(struct learn *l, mono_us now);

/* ---- events ---- */

void learn_let_in(struct learn *l, struct learn_session *s, mono_us now);
/* It goes on to another host by itself, for the one that it came to refused it (reply), or is not to be
 * reached (NULL). It stays begun; how it fares in the end is told as of any other. */
void learn_moved(struct learn *l, struct learn_session *s, unsigned host, const struct learn_reply *reply,
                 mono_us now);
/* It answered the connection, greeting, EHLO or STARTTLS with a refusal, or hung up before its greeting (a
 * reply without a code). Returns what that is put down to. */
enum learn_dimension learn_turned_away(struct learn *l, struct learn_session *s,
                                       const struct learn_reply *reply, mono_us now);
/* No connection, no answer, a broken network. While others are in at that host it may have been one too many.
 * Returns what it is put down to. */
enum learn_dimension learn_unreachable(struct learn *l, struct learn_session *s, mono_us now);
/* It was not let in for a reason of ours, or one that is no limit. */
void learn_dropped(struct learn *l, struct learn_session *s, mono_us now);
/* One message was answered. took: since it was granted. */
void learn_answer(struct learn *l, struct learn_session *s, const struct learn_reply *reply, mono_us took,
                  mono_us now);
/* A session that was let in is over. by_server: it hung up, or ended it with a reply (NULL: none). */
void learn_left(struct learn *l, struct learn_session *s, bool by_server, const struct learn_reply *reply,
                mono_us now);

/* ---- what it knows ---- */

#define LEARN_CHANCE_MOST 0.5

/* To be stored by the caller, versioned, in whatever form. */
struct learn_memory {
    wall_us saved;
    uint32_t connections; /* 0: none known; so for all */
    double rate, burst;
    uint32_t per_connection;
    double new_connections;
    double quota, quota_used;
    wall_us quota_resets;
    double chance_unsaid, chance_said; /* shares that are refused by chance, LEARN_CHANCE_MOST at most */
};
void learn_store(const struct learn *l, struct learn_memory *m, wall_us wall, mono_us now);
/* After learn_init. The older it is the more carefully it is used. */
void learn_load(struct learn *l, const struct learn_memory *m, wall_us wall, mono_us now);

/* Why the lane is as fast as it is. */
struct learn_state {
    enum learn_dimension
        bound; /* what holds it back now; LEARN_NOTHING: the work, or the connections' own speed */
    double limit[LEARN_DIMENSIONS]; /* as known now, 0: none known; at a gate: seconds it has been shut */
    double kept[LEARN_DIMENSIONS];  /* what the lane does now */
    const struct learn_why *why;    /* of `bound`; NULL: nothing ever happened. Valid until the next event */
    mono_us next_try;               /* NEVER: none is planned */
    double next_value;              /* what it will try, in the unit of `bound` */
    bool by_host;                   /* each host counts its own connections */
    bool rate_by_host;              /* and its own messages a second */
};
uint32_t learn_sessions(const struct learn *l); /* begun and not over */
/* Messages a second that were taken, in the last `span` (up to a minute). */
double learn_rate(struct learn *l, mono_us span, mono_us now);
void learn_explain(struct learn *l, struct learn_state *state, mono_us now);

/* The same for people, in a sentence or two: "google takes 5 connections at a time from 192.0.2.1: one more
 * was refused at 14:02 with "421 too many connections". Next try with 6 at 14:10." Times are UTC, with their
 * date when it is not today's. Control characters of replies are left out. out fails when it is full. */
struct buf;
void learn_sentence(const struct learn_state *state, struct slice provider, struct slice source, wall_us wall,
                    mono_us now, struct buf *out);

#endif
