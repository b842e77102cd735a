/* Notes: the audit trail. What happened to lanes and by whose hands, as events of the ledger (EVENT_NOTE)
 * that belong to no chunk and change no recipient's state. Pure. */
#ifndef TSUBAME_NOTE_H
#define TSUBAME_NOTE_H

#include "event.h"

/* Stored: numbers don't change. */
enum note_what {
    NOTE_LIMIT = 1, /* a lane changed one of its limits by itself */
    NOTE_HAND = 2   /* a person did something */
};

/* What a person did. Stored: numbers don't change, new ones go to the end. */
enum note_act {
    NOTE_SUSPENDED = 1,
    NOTE_RESUMED,
    NOTE_HELD,
    NOTE_CANCELLED,
    NOTE_FLUSHED, /* what waited for a later time was tried at once */
    NOTE_REROUTED,
    NOTE_FORGOTTEN,   /* what a lane had learned */
    NOTE_CANCEL_DONE, /* a cancellation is carried out; touched: so many are cancelled */
    NOTE_CHANGED,     /* a campaign's priority, weight or times */
    NOTE_TRACED,      /* somebody watched conversations */
    NOTE_ACTS
};
const char *note_act_name(unsigned act); /* "suspended"; "?" for none of them */

enum { NOTE_NAME_MAX = 255, NOTE_SCOPE_MAX = 480 }; /* longer texts are cut */

struct note {
    enum note_what what;
    wall_us at;            /* kept to the millisecond */
    struct slice provider; /* empty: not about one */
    struct slice source;   /* the same */
    struct slice words;    /* the reply's own; of a hand: the reason that was given. At most EVENT_TEXT_MAX */
    uint16_t code;         /* of the reply; 0: none */
    /* NOTE_LIMIT */
    uint8_t dimension, cause; /* enum learn_dimension, enum learn_cause */
    double from, to;          /* 0: none known; finite, not below 0 */
    uint32_t changes; /* so many were told as one: `from` of the first, all else of the last; 1 at least */
    /* NOTE_HAND */
    uint8_t act;        /* enum note_act */
    uint32_t campaign;  /* 0: not about one */
    struct slice scope; /* what it was done to, in words: "domain example.com" */
    struct slice by;    /* who */
    uint64_t touched;   /* recipients */
};

/* The event, whose slices are the note's and `detail`'s (reset first). False without memory. */
bool note_to_event(const struct note *n, struct buf *detail, struct event *e);
/* Slices point into the event's. False: the event is no note, or says nothing that can be. */
bool note_from_event(const struct event *e, struct note *n);

#endif
