/* Between copying and placing, the copy is opened as a store of its own beside its place: what is unfinished
 * in it is held there, so that no server ever sees it otherwise. */
#include "restoring.h"

#include "ledger.h"
#include "service.h"
#include "units.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int commit(struct store *store, struct ledger *l, const struct restored *r, struct err *err) {
    uint64_t sequence;
    struct store_batch *row = store_batch_new(64 * 1024);
    struct store_batch *changes = ledger_seal(l, true, 0, &sequence);
    int failed = !row || !changes || !restored_put(row, r) ? err_set(err, ERR_SYSTEM, "out of memory")
                 : store_commit(store, changes, 0, err) || store_commit(store, row, 0, err) ? -1
                                                                                            : 0;
    store_batch_free(changes);
    store_batch_free(row);
    return failed;
}

static int hold(struct restoring *r, struct store *store, struct err *err) {
    wall_us now = clock_wall();
    struct ledger *l = ledger_open(store, now, err);
    if (!l) return -1;
    r->restored = (struct restored){.taken = r->facts.taken, .at = now};
    for (struct campaign *c = ledger_campaigns(l); c; c = c->next) {
        if (c->row.state == CAMPAIGN_READY)
            ledger_set_state(l, c, CAMPAIGN_HELD, now);
        else if (c->row.state != CAMPAIGN_HELD) /* one held before may have gone on after the backup */
            continue;
        if (r->restored.count < RESTORED_NAMED_MAX) r->restored.held[r->restored.count++] = c->row.id;
    }
    int failed = r->restored.count ? commit(store, l, &r->restored, err) : 0;
    ledger_free(l);
    return failed;
}

/* Opened once in any case: a newer tsubame migrates it here and not at its first start. */
static int prepare(struct restoring *r, const char *partial, const struct options *o, struct err *err) {
    struct store_options so = {.map_size = (uint64_t)o->store.map_size,
                               .reserve = (uint64_t)o->store.reserve};
    struct store *store = store_open(partial, &so, err);
    if (!store) return -1;
    int failed = r->facts.final || r->resume ? 0 : hold(r, store, err);
    store_free(store);
    return failed;
}

static int give_to_user(const char *partial, const struct options *o, struct err *err) {
    struct service_user user;
    char *const paths[] = {(char *)partial, NULL};
    if (geteuid() != 0 || !o->run.user) return 0;
    if (service_find_user(o, &user, err)) return -1;
    if (!user.change) return 0;
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int failed = walk ? 0 : err_errno(err, errno, "%s", partial);
    for (FTSENT *e; !failed && walk && (e = fts_read(walk));)
        if (e->fts_info != FTS_DP && lchown(e->fts_path, user.uid, user.gid))
            failed = err_errno(err, errno, "giving %s to %s", e->fts_path, user.name);
    if (walk) fts_close(walk);
    return failed;
}

/* Seen early, before gigabytes are copied; in the end the rename decides. */
static int check_place(const char *dir, struct err *err) {
    struct stat st;
    if (lstat(dir, &st) && errno == ENOENT) return 0;
    char *const paths[] = {(char *)dir, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *top = walk ? fts_read(walk) : NULL;
    bool empty =
        top && top->fts_info == FTS_D && (errno = 0, !fts_children(walk, FTS_NAMEONLY)) && errno == 0;
    if (walk) fts_close(walk);
    return empty ? 0
                 : err_set(err, ERR_INPUT, "%s is there and not an empty folder: move it away first", dir);
}

int restoring_run(struct restoring *r, const struct options *o, struct err *err) {
    char partial[PATH_MAX];
    size_t len = strlen(r->dir);
    while (len > 1 && r->dir[len - 1] == '/')
        len--;
    if (snprintf(partial, sizeof partial, "%.*s.partial", (int)len, r->dir) >= (int)sizeof partial - 64)
        return err_set(err, ERR_INPUT, "the path is too long");
    if (check_place(r->dir, err) || store_restore_copy(r->backup, partial, &r->facts, err)) return -1;
    if (prepare(r, partial, o, err) == 0 && give_to_user(partial, o, err) == 0 &&
        store_restore_place(partial, r->dir, err) == 0)
        return 0;
    store_remove(partial);
    return -1;
}
