/* tsubame backup: a consistent copy of the store, while all goes on. */
#include "asking.h"
#include "command.h"
#include "instance.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const struct arg args[] = {
    {"final", 0, NULL, "for a move: this store is closed for good, the copy goes on in its place"},
};

static int copy(struct invocation *in, const char *dir, struct err *err) {
    struct talk server;
    bool final = invocation_has(in, "final");
    if (talk_connect(&server, in->options->control.socket, err) == 0) {
        if (final) {
            talk_done(&server);
            return err_set(err, ERR_BUSY, "a server is running: end it first, then take the final backup");
        }
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
    int failed = store_backup(store, dir, final, err);
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
    return command_complain(
        EXIT_DONE,
        invocation_has(in, "final")
            ? "the store was copied to %s and is closed: `tsubame restore` lets the copy go on elsewhere"
            : "the store was copied to %s; `tsubame restore` makes a store of it again",
        path);
}

const struct command command_backup = {
    .name = "backup",
    .operands = "FOLDER",
    .summary = "copy the store, consistent, while all goes on",
    .text =
        "FOLDER must not exist or be empty. A running server makes the copy, with its own rights. `tsubame "
        "restore`\n"
        "makes a store of it again. With --final, which wants the server ended, this store can't be used any "
        "more\n"
        "and the copy goes on exactly where it stood: so a server moves to another machine.\n",
    .examples = "  tsubame backup /var/backups/tsubame-$(date +%F)\n"
                "  tsubame backup --final /mnt/final\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = 1,
    .run = run,
};
