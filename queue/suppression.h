/* The suppression list: whom nothing is sent to, and why. Its rows, their keys and their words. Pure.
 *
 * TABLE_SUPPRESSION has two kinds of rows, told apart by the first byte of the key, each for one address of
 * one tenant: addresses on the list, and addresses that failed and are not on it yet (a count). The key holds
 * the canonical address (mail/address.h) with the ASCII letters of its local part lowered, as the hash of
 * addresses has it: Anna@ and anna@ are one person. docs/suppression.md tells when rows come and go. */
#ifndef TSUBAME_SUPPRESSION_H
#define TSUBAME_SUPPRESSION_H

#include "buf.h"
#include "clock.h"
#include "err.h"

/* Stored: numbers don't change. */
enum suppress_reason {
    SUPPRESS_NO_REASON = 0, /* not in a row: none was given */
    SUPPRESS_BOUNCE = 1,    /* mail to it fails for good */
    SUPPRESS_COMPLAINT = 2, /* its reader called our mail spam */
    SUPPRESS_UNSUBSCRIBE = 3,
    SUPPRESS_MANUAL = 4, /* somebody wanted it so */
    SUPPRESS_REASONS
};
const char *suppress_reason_name(enum suppress_reason reason);   /* "bounce"; "-" for none */
enum suppress_reason suppress_reason_by_name(struct slice name); /* any case; SUPPRESS_NO_REASON: none such */

/* How it came on the list. */
enum suppress_source {
    SUPPRESS_NO_SOURCE = 0,
    SUPPRESS_BY_COMMAND = 1,
    SUPPRESS_BY_IMPORT = 2,
    SUPPRESS_BY_REPLY = 3,     /* what a mail server answered */
    SUPPRESS_BY_DSN = 4,       /* a bounce that came back as mail */
    SUPPRESS_BY_COMPLAINT = 5, /* a feedback report */
    SUPPRESS_BY_LINK = 6,      /* the reader's own click */
    SUPPRESS_SOURCES
};
const char *suppress_source_name(enum suppress_source source);
enum suppress_source suppress_source_by_name(struct slice name);

enum {
    SUPPRESS_ADDRESS_MAX = 254,
    SUPPRESS_NOTE_MAX = 200,
    SUPPRESS_TEXT_MAX = 480,
    SUPPRESS_HOST_MAX = 255,
    SUPPRESS_ROW_MAX = 1200 /* bytes of an encoded row */
};

/* What the receiver said: the proof of a row, and the last words of a count. */
struct suppress_proof {
    uint64_t rid;            /* whose mail it was (queue/rid.h; the campaign is in it); 0: none of ours */
    uint8_t class;           /* enum classify_class; 0: none */
    uint16_t code;           /* SMTP code, 0: none */
    uint16_t enhanced[3];    /* 0.0.0: none */
    struct slice host, text; /* at most SUPPRESS_HOST_MAX and SUPPRESS_TEXT_MAX bytes; longer ones are cut */
};
bool suppress_proof_given(const struct suppress_proof *p);

struct suppress_row {
    enum suppress_reason reason;
    enum suppress_source source;
    wall_us at;       /* on the list, or changed, since then; kept to the millisecond */
    uint8_t failures; /* how many in a row brought it there; 0: none did */
    struct suppress_proof proof;
    struct slice note; /* a person's; at most SUPPRESS_NOTE_MAX bytes */
};
bool suppress_row_encode(struct buf *out, const struct suppress_row *row);
/* Slices point into the bytes. ERR_CORRUPT. */
int suppress_row_decode(struct slice bytes, struct suppress_row *row, struct err *err);

/* Failures in a row of an address that is not on the list. */
struct suppress_count {
    uint8_t failures; /* at least 1 */
    wall_us at;       /* the last one */
    struct suppress_proof proof;
};
bool suppress_count_encode(struct buf *out, const struct suppress_count *count);
int suppress_count_decode(struct slice bytes, struct suppress_count *count, struct err *err);

enum suppress_kind { SUPPRESS_LISTED = 1, SUPPRESS_COUNTED = 2 };

struct suppress_key {
    char bytes[5 + SUPPRESS_ADDRESS_MAX]; /* kind, tenant (big-endian), address */
    uint16_t len;
};
/* False when the address is empty or too long to be one. */
bool suppress_key_make(struct suppress_key *key, enum suppress_kind kind, uint32_t tenant,
                       struct slice address);
static inline struct slice suppress_key_slice(const struct suppress_key *key) {
    return (struct slice){key->bytes, key->len};
}
/* The address in a stored key; false when it is none of this kind and tenant. */
bool suppress_key_address(struct slice key, enum suppress_kind kind, uint32_t tenant, struct slice *address);
/* The first key of a kind and tenant, to begin reading at. */
struct suppress_key suppress_key_first(enum suppress_kind kind, uint32_t tenant);

/* The same for both kinds of rows of an address. */
uint64_t suppress_hash(uint32_t tenant, struct slice address);

/* What is to be said of an address: a row in which parts may be left open (no reason, no source, `at` 0, no
 * proof, note.at NULL). They stay as they are where the address is on the list already, and else become
 * manual, `source`, `now` and nothing. True: *result differs from what was there (NULL: nothing was). */
bool suppress_merge(const struct suppress_row *was, const struct suppress_row *wanted,
                    enum suppress_source source, wall_us now, struct suppress_row *result);

/* "bounce (campaign 3: 550 5.1.1 no such user)": one line for people; the note where there are no words. */
void suppress_put_why(struct buf *out, const struct suppress_row *row);
/* "550 5.1.1 no such user" */
void suppress_put_words(struct buf *out, const struct suppress_proof *proof);

#endif
