/* Root gives itself up before it touches a store that is another user's: the lock file of LMDB, the files of
 * SQLite and new segments would be root's, and the server, which is not root, could not open them. */
#include "store_owner.h"

#include "service.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_of(unsigned uid, char name[256]) {
    const struct passwd *pw = getpwuid(uid);
    if (pw)
        snprintf(name, 256, "%s", pw->pw_name);
    else
        snprintf(name, 256, "%u", uid);
}

static int become(const struct options *o, const struct stat *st, struct err *err) {
    struct service_user user = {.change = true, .uid = st->st_uid, .gid = st->st_gid};
    name_of(st->st_uid, user.name);
    if (service_find_group(o, &user.gid, err)) return -1;
    return service_become(&user, err);
}

/* As `serve` does it: the folder of the store is there before root is not root any more. */
static int make_for_user(const struct options *o, struct err *err) {
    struct service_user user;
    if (!o->run.user) return 0;
    if (service_find_user(o, &user, err)) return -1;
    if (!user.change) return 0;
    if (mkdir(o->store.path, 0700) || chown(o->store.path, user.uid, user.gid))
        return err_errno(err, errno, "store.path: %s", o->store.path);
    return service_become(&user, err);
}

/* For one who is not root. */
static int check(const struct options *o, struct err *err) {
    struct stat st;
    char name[256];
    const char *path = o->store.path;
    if (access(path, R_OK | W_OK | X_OK) == 0 || errno != EACCES)
        return 0; /* what else is wrong store_open says */
    if (stat(path, &st))
        return err_set(err, ERR_INPUT,
                       "%s (store.path) is not yours to open: do this as root, or as the user of the "
                       "server",
                       path);
    name_of(st.st_uid, name);
    return err_set(err, ERR_INPUT,
                   "%s (store.path) belongs to the user %s: do this as root, or as that user "
                   "(runuser -u %s -- tsubame ...)",
                   path, name, name);
}

int store_owner_become(const struct options *o, bool read_only, struct err *err) {
    struct stat st;
    if (geteuid() != 0) return check(o, err);
    if (stat(o->store.path, &st) == 0) return st.st_uid == 0 ? 0 : become(o, &st, err);
    return errno == ENOENT && !read_only ? make_for_user(o, err) : 0;
}
