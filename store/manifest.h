/* What a backup consists of: a file MANIFEST in it with the size and hash of every other file.
 *
 *     tsubame-backup 1
 *     store-version 1
 *     taken 1790000000000000
 *     final no
 *     file 65ac0d3d4a8d6d11 409600 ledger.mdb
 *     ...
 *     end 0f3a99b1c5d2e874
 *
 * One line each, in this order; times are microseconds since 1970, hashes XXH64 (as `xxhsum -H64` prints
 * them), that of `end` is of all bytes before its line. It is written last: a folder without it is no backup.
 * Inside store/ only. */
#ifndef TSUBAME_MANIFEST_H
#define TSUBAME_MANIFEST_H

#include "store.h"

enum { MANIFEST_MAX = 4 << 20, MANIFEST_NAME_MAX = 64 };

/* Writes it for the files that are in `dir_fd` now, each of which is read; synced. The counts of *facts are
 * filled in.
 */
int manifest_write(int dir_fd, struct backup_facts *facts, struct err *err);

/* Reads it and goes through the files that it names (ledger.mdb, history.db, segments/NNNNNNNN.seg and no
 * others): each is read, copied to the same name under to_fd (-1: nowhere) and compared. -1 with err:
 * ERR_ABSENT where there is no manifest, ERR_CORRUPT where anything is not as it says. `dir` is for messages.
 */
int manifest_check(int dir_fd, const char *dir, int to_fd, struct backup_facts *facts, struct err *err);

#endif
