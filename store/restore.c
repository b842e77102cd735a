/* A backup becomes a store again: checked and copied beside its place, put there by one rename.
 *
 * In between the caller may open the copy as a store of its own and change what is to be different. */
#include "manifest.h"
#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_dir(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) err_errno(err, errno, "opening %s", path);
    return fd;
}

int store_backup_check(const char *backup, struct backup_facts *facts, struct err *err) {
    int fd = open_dir(backup, err);
    if (fd < 0) return -1;
    int status = manifest_check(fd, backup, -1, facts, err);
    close(fd);
    return status;
}

static int copy_into(int from, const char *backup, const char *partial, struct backup_facts *facts,
                     struct err *err) {
    int to = open_dir(partial, err);
    if (to < 0) return -1;
    int status =
        mkdirat(to, "segments", 0700) < 0 ? err_errno(err, errno, "creating %s/segments", partial) : 0;
    if (status == 0) status = manifest_check(from, backup, to, facts, err);
    int segments = status < 0 ? -1 : openat(to, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (status == 0 && (segments < 0 || fsync(segments) < 0 || fsync(to) < 0))
        status = err_errno(err, errno, "syncing %s", partial);
    if (segments >= 0) close(segments);
    close(to);
    return status;
}

int store_restore_copy(const char *backup, const char *partial, struct backup_facts *facts, struct err *err) {
    int from = open_dir(backup, err);
    if (from < 0) return -1;
    int status = mkdir(partial, 0700) < 0
                     ? err_errno(err, errno, "creating %s%s", partial,
                                 errno == EEXIST ? " (left by a restore that was cut short? remove it)" : "")
                     : 0;
    if (status == 0) {
        status = copy_into(from, backup, partial, facts, err);
        if (status < 0) store_remove(partial);
    }
    close(from);
    return status;
}

int store_restore_place(const char *partial, const char *dir, struct err *err) {
    static const char *const passing[] = {"lock", "ledger.mdb-lock"};
    int fd = open_dir(partial, err);
    if (fd < 0) return -1;
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        unlinkat(fd, passing[i], 0);
    int status = fsync(fd) < 0 ? err_errno(err, errno, "syncing %s", partial) : 0;
    close(fd);
    if (status < 0) return -1;
    if (rename(partial, dir) < 0) {
        if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
            return err_set(err, ERR_INPUT, "%s is there and not empty: move it away first", dir);
        return err_errno(err, errno, "putting the store to %s", dir);
    }
    return store_sync_parent(dir, err);
}
