/* The one place that knows LMDB: the environment, write transactions, and the copy for a backup. Readers and
 * cursors (store/store.h) are implemented here too. Inside store/ only.
 *
 * rc: 0, a positive errno, or a negative LMDB code; kv_fail makes an err of it. */
#ifndef TSUBAME_KV_H
#define TSUBAME_KV_H

#include "store.h"

struct kv;
struct kv_txn;

/* Creates the tables when missing, unless read_only. */
struct kv *kv_open(const char *path, uint64_t map_size, bool read_only, struct err *err);
void kv_free(struct kv *kv);

/* One at a time. kv_commit ends the transaction in any case. */
int kv_begin(struct kv *kv, struct kv_txn **txn);
int kv_put(struct kv_txn *txn, enum store_table t, struct slice key, struct slice value);
int kv_delete(struct kv_txn *txn, enum store_table t, struct slice key);
int kv_delete_range(struct kv_txn *txn, enum store_table t, struct slice from, struct slice to,
                    uint32_t most);
int kv_commit(struct kv_txn *txn);
void kv_abort(struct kv_txn *txn);

bool kv_broken(int rc); /* nothing works any more until the file is opened anew */
bool kv_map_full(int rc);
int kv_grow(struct kv *kv); /* doubles the address space; waits for the readers of this process */
uint64_t kv_map_size(struct kv *kv);
int kv_fail(struct err *err, int rc, const char *what);

struct store_reader *kv_reader_open(struct kv *kv, struct err *err);

/* Writes every row that r sees (its transaction under way) into a new, compact ledger at path, synced. */
int kv_copy(struct store_reader *r, const char *path, struct err *err);

#endif
