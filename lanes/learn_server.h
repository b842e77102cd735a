/* For tests of learn: a server with hidden limits. Time is simulated: it is told when something arrives. */
#ifndef TSUBAME_LEARN_SERVER_H
#define TSUBAME_LEARN_SERVER_H

#include "learn.h"

enum world_close { CLOSE_421, CLOSE_STAYS, CLOSE_SILENT };
enum world_count { COUNT_FIXED, COUNT_SLIDING, COUNT_BUCKET };
/* What it does about a message beyond its rate. */
enum world_beyond {
    BEYOND_REFUSES,
    BEYOND_SLOWS,  /* answers as slowly as the limit says: a tarpit */
    BEYOND_SILENT, /* never answers, nor anything later in that connection */
};
enum { WORLD_STEPS = 8 };

/* 0: no such limit. */
struct world_limits {
    uint32_t connections; /* of all hosts together */
    uint32_t host_connections[LEARN_HOSTS];
    double rate, burst;            /* messages a second, and at once */
    double host_rate[LEARN_HOSTS]; /* of each host, with the same burst */
    double window_s, window_n;     /* so many in a window */
    enum world_count window;       /* fixed or sliding */
    bool counts_refused;           /* what is refused counts, too */
    enum world_beyond beyond;
    double penalty_s;     /* one message beyond the rate, and nothing is taken for so long */
    bool says_greylisted; /* instead of a limit */
    uint32_t per_connection;
    enum world_close close; /* what happens to one more */
    double new_a_minute;
    enum world_count new_count;
    double new_s;          /* so long is the minute in which they are counted; 0: 60 */
    bool says_connections; /* of new ones, too, that they are too many (as Postfix does) */
    double linger_s;       /* a connection that has ended counts for so long */
    double slows_above;    /* connections: with more answers take longer, by the square of the excess */
    double service_s;      /* an answer with fewer, then */
    double late_from, late_for, late_s; /* s: all answers take longer for a while, however many connections */
    uint32_t asks_rest_s;           /* its words for a rate are those for which our rules know such a pause */
    bool at_door;                   /* refuses connections instead of messages for the rate */
    double quota;                   /* a day, from midnight */
    bool quota_from_first;          /* or from the first message on */
    double chance;                  /* share of messages refused by chance */
    double connect_chance;          /* of connections */
    double greylisted;              /* share */
    double greylist_s;              /* every new recipient is put off for so long */
    double unknown;                 /* share */
    double unknown_hurts;           /* with so much of unknown users the rate is halved */
    double outage_from, outage_for; /* s */
    uint8_t outage_hosts;           /* as bits; 0: all */
    double ban_s;  /* after a refused connection all are refused for so long, from the last knock on */
    bool generic;  /* its words say nothing */
    bool hangs_up; /* 421 and the end, for rates too */
    bool unheard;  /* connections that are one too many get no answer */
    enum classify_stage stage; /* of a refusal; 0: RCPT */
    double greeting_s;
    double changes_at, factor; /* s: all limits */
    double steps[WORLD_STEPS],
        step_s; /* all limits, in turn, times so much of the first; 0: no more of them */
};

struct server {
    struct world_limits limit, first;
    unsigned in, host_in[LEARN_HOSTS];
    double tokens, host_tokens[LEARN_HOSTS];
    mono_us filled, host_filled[LEARN_HOSTS];
    double due, host_due[LEARN_HOSTS]; /* of a tarpit: when the next answer is, us */
    int64_t window_no;
    double window_used;
    mono_us *ring; /* times of messages taken, for sliding windows */
    uint64_t ring_head, ring_tail;
    double new_tokens;
    mono_us new_filled, new_from;
    double new_used;
    int64_t day;
    mono_us day_began;
    double day_used;
    mono_us banned_until, penalty_until;
    bool changed;
    int step;
    uint64_t random;
    double unknown_share;
};

enum turned { LET_IN, TOO_MANY, TOO_MANY_NEW, TURNED_FOR_RATE, BANNED, TURNED_BY_CHANCE, UNREACHABLE };
enum answer { TAKEN, UNKNOWN, GREY, BY_CHANCE, TOO_FAST, TOO_DEEP, OVER_QUOTA, SILENCE, LOST };

void server_init(struct server *v, const struct world_limits *limits, uint64_t seed);
void server_done(struct server *v);
/* By how much its limits are other than at first. */
double server_factor(struct server *v, mono_us now);
double server_chance(struct server *v);
bool server_down(const struct server *v, unsigned host, mono_us now);
enum turned server_connect(struct server *v, unsigned host, mono_us now);
void server_left(struct server *v, unsigned host);
/* The nth message in its connection; age: since the first try. *slower: answers so much later. */
enum answer server_message(struct server *v, unsigned host, unsigned nth, mono_us age, mono_us *slower,
                           mono_us now);
struct learn_reply server_says(const struct server *v, enum answer a);
struct learn_reply server_turns_away(const struct server *v, enum turned t);

#endif
