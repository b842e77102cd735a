/* What is known of providers before the first mail: whose mail exchangers are whose, and with which limits a
 * lane begins. Pure. profiles/ has the built-in ones; profiles/README.md tells the format, and which numbers
 * are starts and which ceilings. */
#ifndef TSUBAME_PROFILE_H
#define TSUBAME_PROFILE_H

#include "arena.h"
#include "err.h"
#include "learn.h"

enum {
    PROFILES_MOST = 128, /* that are built in */
    PROFILE_SUFFIXES_MOST = 64,
    PROFILE_NAME_MAX = 100, /* bytes */
    PROFILE_NOTE_MAX = 200
};

/* Who says so. */
enum profile_origin {
    PROFILE_FROM_NOBODY,
    PROFILE_FROM_SHAPING,   /* KumoMTA's policy-extras shaping.toml */
    PROFILE_FROM_COMMUNITY, /* KumoMTA's community shaping.toml */
    PROFILE_FROM_PROVIDER,  /* its own postmaster page */
    PROFILE_FROM_FIELD,     /* reports of senders */
    PROFILE_FROM_OWN,       /* this program or its configuration */
    PROFILE_ORIGINS
};
const char *profile_origin_name(enum profile_origin o); /* "shaping" */

enum profile_number {
    PROFILE_CONNECTIONS,
    PROFILE_RATE,
    PROFILE_PER_CONNECTION,
    PROFILE_NEW_CONNECTIONS,
    PROFILE_QUOTA,
    PROFILE_SESSION_RECIPIENTS,
    PROFILE_NUMBERS
};
const char *profile_number_key(enum profile_number n); /* "messages_per_second": as in the files */

struct profile_limit {
    struct learn_bounds bounds;
    enum profile_origin from;
    const char *note; /* NULL: none */
};

struct profile {
    const char *name;
    const char *const *suffixes; /* ".google.com": ends with it; "mx.example.com": equals. Lower case */
    size_t suffix_count;         /* 0: `other` alone */
    bool wants_tls;              /* expects it; used where offered, whatever else is configured */
    bool by_site;                /* each set of exchangers is a lane of its own */
    bool own;                    /* of the configuration: goes before the built-in ones */
    const char *file;            /* where it stands */
    unsigned line;
    struct profile_limit limits[PROFILE_NUMBERS];
};

/* Reads `text` and appends to list, which has room for PROFILES_MOST; everything is the arena's. -1 with err
 * (ERR_INPUT): "asia.yaml:12:20: docomo: ..."; the list may have grown. */
int profile_read(struct slice text, const char *file, struct arena *arena, struct profile *list,
                 size_t *count, struct err *err);
/* The built-in ones. */
int profile_builtin(struct arena *arena, struct profile *list, size_t *count, struct err *err);

/* Is this what mail exchangers' names may end with, or be? NULL, or why not. */
const char *profile_suffix_fault(struct slice suffix);
/* May such a limit be? NULL, or why not. */
const char *profile_bounds_fault(enum profile_number n, const struct learn_bounds *b);

/* By name, or NULL. */
struct profile *profile_named(struct profile *list, size_t count, struct slice name);
/* Whose exchanger the host is: of the own ones the longest suffix, else of the built-in ones; NULL: nobody's.
 * Case does not count, nor does a dot at its end. */
const struct profile *profile_of_host(const struct profile *list, size_t count, struct slice host);

/* The length of the longest of these suffixes that the host ends with or is; 0: none. */
size_t profile_match(const char *const *suffixes, size_t count, struct slice host);

/* As the controller takes it. Recipients of a session bound the messages of a connection, which have one
 * each at least. */
struct learn_profile profile_learn(const struct profile *p);
/* What a profile says nothing of begins as with `other`, within its own floor and ceiling. */
void profile_fill(struct profile *p, const struct profile *other);

/* The built-in files: made of profiles/ by the build. */
struct profile_text {
    const char *name; /* "asia" */
    const unsigned char *text;
    size_t len;
};
extern const struct profile_text profile_text[];
extern const size_t profile_text_count;

#endif
