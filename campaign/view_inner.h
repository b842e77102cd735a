/* What view.c (the moment) and view_read.c (reading it) share. */
#ifndef TSUBAME_VIEW_INNER_H
#define TSUBAME_VIEW_INNER_H

#include "history.h"
#include "view.h"

/* An event of a block that is not in the history, or not wholly. */
struct live_event {
    uint64_t chunk;
    uint64_t seq;   /* its block */
    size_t at, len; /* in view.live: encoded, times relative to 0 */
};

struct view {
    struct store *store;
    struct store_reader *reader;
    struct sql *db; /* NULL: there is no history */
    bool reading;   /* the history's transaction is open */
    struct history_gap gap;
    struct history_removed *removed; /* by number */
    size_t removed_count;

    struct campaign_row *campaigns;
    struct buf campaign_bytes;
    size_t campaign_count, campaign_room;
    struct rid_key keys[1];
    size_t key_count;

    struct buf live;
    struct live_event *events; /* outcomes by chunk, then in order */
    size_t event_count, event_room;
    struct live_event *accepted; /* chunk rows by id */
    size_t accepted_count, accepted_room;

    struct buf *parts; /* unpacked history of the chunk at work */
    size_t part_count;
    struct buf bytes;
    struct pack *pack;
    struct chunk_table *table;

    uint32_t campaign; /* being walked */
    uint64_t next;     /* chunk id to go on at */
    uint64_t hash;
    struct buf domain;
};

/* The first of `count` sorted events that belongs to the chunk or a later one. */
size_t view_live_find(const struct live_event *events, size_t count, uint64_t chunk);
bool view_live_decode(const struct view *v, const struct live_event *l, struct event *e);

#endif
