/* What the parts of the store share. Inside store/ only. */
#ifndef TSUBAME_STORE_PRIV_H
#define TSUBAME_STORE_PRIV_H

#include "clock.h"
#include "kv.h"
#include "segment.h"

#include <limits.h>
#include <pthread.h>

struct store_batch {
    struct buf ops; /* u8 kind, u8 table, bytes key, then by kind: bytes value | bytes to, varint most */
    bool lost;      /* an operation did not fit */
    unsigned flags;
    store_done_fn *done;
    void *ctx;
    mono_us since; /* submitted */
    struct store_batch *next;
};

struct batch_list {
    struct store_batch *first;
    struct store_batch **end;
    size_t count;
    size_t bytes;
};

struct writer {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct batch_list queue;
    size_t urgent; /* batches in the queue that do not wait for company */
    size_t slots;
    bool stopping;
    struct store_stats stats;
    struct store_health health;
    pthread_mutex_t gate; /* held by the writer from begin to commit, by a backup while it fixes its view */
};

struct segment_files {
    pthread_mutex_t lock;  /* of next and pinned */
    pthread_mutex_t sweep; /* held by whoever deletes files, and by a backup so that nobody does */
    uint32_t next;
    uint32_t *pinned; /* files of open writers */
    size_t pinned_count;
    size_t pinned_room;
};

struct store {
    char dir[PATH_MAX];
    int dir_fd;
    int segments_fd;
    int lock_fd;
    bool read_only;
    unsigned version;
    uint64_t reserve;
    bool reserve_held; /* atomic */
    struct kv *kv;
    struct writer writer;
    struct segment_files segments;
};

/* batch.c: what the batch says, done inside the transaction. Returns kv's rc. */
int batch_apply(const struct store_batch *b, struct kv_txn *txn);

/* writer.c */
int writer_start(struct store *s, size_t slots, struct err *err);
void writer_stop(struct store *s);

/* space.c: the reserve file and free space. */
bool space_reserve_held(const struct store *s);
void space_reserve_take(struct store *s); /* tries to have the reserve; only where twice as much is free */
void space_reserve_give(struct store *s);

/* segment.c */
int segments_open(struct store *s, struct err *err);
void segments_close(struct store *s);
int segments_copy(struct store *s, int target_fd, struct err *err); /* the sweep lock is held */

/* manifest.c, backup.c */
#define STORE_MANIFEST_FILE "MANIFEST"
#define STORE_MOVED_FILE    "moved"
int store_sync_parent(const char *path, struct err *err);

#endif
