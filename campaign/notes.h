/* The audit trail (queue/note.h) in the history, and as it is read: what the history has of it, and what lies
 * in blocks that it has not got yet. */
#ifndef TSUBAME_NOTES_H
#define TSUBAME_NOTES_H

#include "arena.h"
#include "note.h"
#include "sql.h"
#include "store.h"

/* For the projector: the note that stands in block `seq` as its `n`th event. Putting it again changes
 * nothing; an event that is no note that can be understood is left out. */
int notes_put(struct sql *db, uint64_t seq, uint32_t n, const struct event *e, struct err *err);

/* Deletes what is older than `before` (0: nothing for that), and the oldest beyond the `most` newest; up to
 * `step` of them in a transaction of its own. *gone: how many. */
enum { NOTES_MOST = 1000000 };
int notes_forget(struct sql *db, wall_us before, uint64_t most, unsigned step, uint64_t *gone,
                 struct err *err);
/* How many are older. */
int notes_count(struct sql *db, wall_us before, uint64_t *count, struct err *err);

struct notes_wanted {
    struct slice provider, source; /* empty: any. Case does not count */
    wall_us since;                 /* not before */
    enum note_what what;           /* 0: any */
    size_t most;                   /* the newest so many, at most NOTES_READ_MOST */
};
enum { NOTES_READ_MOST = 100000 };

/* Those that are wanted, the oldest first; everything is the arena's. With or without a server at work. A
 * history that is not there yet is an empty one. */
int notes_read(struct store *store, const struct notes_wanted *wanted, struct arena *arena,
               struct note **list, size_t *count, struct err *err);

#endif
