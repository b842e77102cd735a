/* The whole ledger at one moment: history rows and, over them, the blocks behind the history's cursor. With
 * or without a running server, exact in both cases.
 *
 * view_begin fixes the moment: the blocks are read in one short LMDB transaction (what is of interest is
 * copied), then the history in one of its own; a block that the cursor has passed in between is counted once
 * all the same. For one thread. Memory: what is not in the history yet (seconds of work), and one chunk. */
#ifndef TSUBAME_VIEW_H
#define TSUBAME_VIEW_H

#include "chunk_table.h"
#include "fold.h"
#include "history_gap.h"
#include "history_removed.h"
#include "row.h"
#include "store.h"

struct view;

/* The store may be read-only and stays the caller's. A missing history counts as empty. NULL with err. */
struct view *view_open(struct store *store, struct err *err);
void view_free(struct view *v); /* NULL is fine */

/* only: a campaign's number, or 0 for all. May be called again: the moment moves on. */
int view_begin(struct view *v, uint32_t only, struct err *err);

/* What the history lacks at that moment, and so everything below. */
struct history_gap view_gap(const struct view *v);

/* When the recipients of a campaign were taken out of the history, or NULL. Walks over such a campaign find
 * nothing. */
const struct history_removed *view_removed(const struct view *v, uint32_t campaign);
const struct history_removed *view_all_removed(const struct view *v, size_t *count); /* by number */

/* The campaigns at that moment (all of them, whatever `only` was), the newest first; valid until the next
 * view_begin. row.tally is the ledger's own count. */
const struct campaign_row *view_campaigns(const struct view *v, size_t *count);

/* By number or by name (of several the newest); NULL when there is none. */
const struct campaign_row *view_campaign(const struct view *v, struct slice name_or_number);

/* The chunks of a campaign in order, from `from` on. 1 with the row, 0 at the end, -1 with err. row->domain
 * is valid until the next call. */
int view_chunk_first(struct view *v, uint32_t campaign, uint32_t from, struct chunk_row *row,
                     struct err *err);
int view_chunk_next(struct view *v, struct chunk_row *row, struct err *err);

/* The chunk that holds addresses of this hash, and the ones after it by view_hash_next (equal hashes may lie
 * in two). */
int view_hash_first(struct view *v, uint32_t campaign, uint64_t hash, struct chunk_row *row, struct err *err);
int view_hash_next(struct view *v, struct chunk_row *row, struct err *err);

/* What became of its recipients. Slices are valid until the next call of either of these two. */
int view_fold(struct view *v, const struct chunk_row *row, struct fold *fold, struct err *err);
/* Its events one by one, the oldest first. */
int view_events(struct view *v, const struct chunk_row *row, void (*each)(void *ctx, const struct event *e),
                void *ctx, struct err *err);

/* Its addresses and variables; valid until the next call. NULL with err. */
const struct chunk_table *view_table(struct view *v, const struct chunk_row *row, struct err *err);

/* The keys of public identities (rid.h), newest first. */
const struct rid_key *view_keys(const struct view *v, size_t *count);

/* The payload of a campaign, valid until the next call. ERR_ABSENT when it is gone. */
int view_payload(struct view *v, const struct campaign_row *row, struct slice *payload, struct err *err);

#endif
