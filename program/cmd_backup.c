/* tsubame backup: a consistent copy of the store, while all goes on. */
#include "command.h"
#include "instance.h"
#include "talk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int ask_server(struct talk *server, const char *dir, struct err *err) {
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", SLICE("backup"));
    jdoc_put_text(request, "dir", slice_of(dir));
    struct jdoc *reply = talk_ask(server, request, NULL, 0, NULL, NULL, err);
    jdoc_free(request);
    jdoc_free(reply);
    return reply ? 0 : -1;
}

static int copy(struct invocation *in, const char *dir, struct err *err) {
    struct talk server;
    if (talk_connect(&server, in->options->control.socket, err) == 0) {
        int failed = ask_server(&server, dir, err);
        talk_done(&server);
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
    if (dir[0] == '/')
        snprintf(path, sizeof path, "%s", dir);
    else if (!getcwd(here, sizeof here) ||
             snprintf(path, sizeof path, "%s/%s", here, dir) >= (int)sizeof path)
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
