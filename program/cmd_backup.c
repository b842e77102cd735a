/* tsubame backup: a consistent copy of the store, while all goes on. */
#include "asking.h"
#include "command.h"
#include "instance.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int copy(struct invocation *in, const char *dir, struct err *err) {
    struct talk server;
    if (talk_connect(&server, in->options->control.socket, err) == 0) {
        struct jdoc *reply = asking(&server, "backup", "dir", slice_of(dir), err);
        talk_done(&server);
        int failed = reply ? 0 : -1;
        jdoc_free(reply);
        return failed;
    }
    if (err->kind != ERR_ABSENT) return -1;
    if (access(in->options->store.path, F_OK)) return err_errno(err, errno, "%s", in->options->store.path);
    struct store *store = instance_store(in->options, false, err);
    if (!store) return -1;
    int failed = store_backup(store, dir, err);
    store_free(store);
    return failed;
}

static int run(struct invocation *in) {
    char path[PATH_MAX], here[PATH_MAX];
    struct err err;
    const char *dir = in->operands[0];
    bool whole = dir[0] == '/';
    if (!whole && !getcwd(here, sizeof here)) return err_errno(&err, errno, "backup"), command_fail(&err);
    if (snprintf(path, sizeof path, "%s%s%s", whole ? "" : here, whole ? "" : "/", dir) >= (int)sizeof path)
        return command_complain(EXIT_FAILED, "backup: %s: the path is too long", dir);
    if (copy(in, path, &err)) return command_fail(&err);
    return command_complain(EXIT_DONE,
                            "the store was copied to %s; with store.path there it is one of its own", path);
}

const struct command command_backup = {
    .name = "backup",
    .operands = "FOLDER",
    .summary = "copy the store, consistent, while all goes on",
    .text = "FOLDER must not exist or be empty. A running server makes the copy, with its own rights. To "
            "restore, point\n"
            "store.path at the copy: mail that went out since the backup is not known there and would go out "
            "again.\n",
    .examples = "  tsubame backup /var/backups/tsubame-$(date +%F)\n",
    .least = 1,
    .most = 1,
    .run = run,
};
