/* tsubame restore: a backup becomes the store again, here or on another machine. */
#include "command.h"
#include "jdoc.h"
#include "restoring.h"
#include "talk.h"
#include "units.h"

static const struct arg args[] = {
    {"to", 0, "FOLDER", "where the store is put (default: store.path)"},
    {"check", 0, NULL, "only compare the backup with its list of files"},
    {"resume", 0, NULL, "hold nothing: what is pending in the backup is sent"},
};

static void put_facts(const struct restoring *r, struct buf *out) {
    buf_printf(out, "%s: taken ", r->backup);
    units_put_time(out, r->facts.taken);
    buf_printf(out, "%s, %llu files, %llu bytes", r->facts.final ? " when its server had ended for good" : "",
               (unsigned long long)r->facts.files, (unsigned long long)r->facts.bytes);
}

static void put_people(const struct restoring *r, bool checked, struct buf *out) {
    put_facts(r, out);
    if (checked) {
        buf_put_text(out, ". It is whole.\n");
        return;
    }
    buf_printf(out, ".\nIt is now the store at %s.\n", r->dir);
    if (r->restored.count)
        buf_printf(
            out,
            "What was sent after the backup is not known here: %u unfinished campaign%s held (`tsubame "
            "status`).\n`tsubame resume CAMPAIGN` sends to all who are pending in it, also to those who got "
            "their mail since.\n",
            r->restored.count, r->restored.count == 1 ? " is" : "s are");
}

static void put_json(const struct restoring *r, bool checked, struct buf *out) {
    struct jdoc *o = jdoc_object();
    struct buf time;
    buf_init(&time, 64);
    units_put_time(&time, r->facts.taken);
    jdoc_put_text(o, "backup", slice_of(r->backup));
    jdoc_put_text(o, "taken", buf_slice(&time));
    jdoc_put_bool(o, "final", r->facts.final);
    jdoc_put_number(o, "files", (int64_t)r->facts.files);
    jdoc_put_number(o, "bytes", (int64_t)r->facts.bytes);
    if (!checked) {
        jdoc_put_text(o, "store", slice_of(r->dir));
        struct jdoc *list = jdoc_child_list(o, "held");
        for (unsigned i = 0; i < r->restored.count; i++)
            jdoc_put_number(jdoc_item_object(list), "id", r->restored.held[i]);
    }
    jdoc_write(o, true, out);
    jdoc_free(o);
    buf_done(&time);
}

/* With --to the store may be for another machine, whose server this one is not. */
static int refuse_while_running(struct invocation *in, struct err *err) {
    struct talk server;
    if (invocation_has(in, "to") || talk_connect(&server, in->options->control.socket, err)) return 0;
    talk_done(&server);
    return err_set(err, ERR_BUSY, "a server is running: end it first");
}

static int run(struct invocation *in) {
    const char *to = invocation_value(in, "to");
    bool check = invocation_has(in, "check");
    struct restoring r = {.backup = in->operands[0],
                          .dir = to ? to : in->options->store.path,
                          .resume = invocation_has(in, "resume")};
    struct err err;
    struct buf out;
    int failed = check ? store_backup_check(r.backup, &r.facts, &err)
                       : refuse_while_running(in, &err) || restoring_run(&r, in->options, &err);
    if (failed) return command_fail(&err);
    buf_init(&out, 65536);
    (in->json ? put_json : put_people)(&r, check, &out);
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

const struct command command_restore = {
    .name = "restore",
    .operands = "BACKUP",
    .summary = "make a backup the store again, here or on another machine",
    .text =
        "Every byte of the backup is compared with its list first; the store must be absent or empty, and is "
        "put "
        "there\n"
        "at once or not at all. Mail that was sent after the backup is not known in it: campaigns that were "
        "unfinished\n"
        "then are held, and `tsubame status` says why. Nothing is held after a final backup (`tsubame backup "
        "--final`).\n",
    .examples = "  tsubame restore --check /var/backups/tsubame-2026-07-01\n"
                "  tsubame restore /var/backups/tsubame-2026-07-01\n"
                "  tsubame restore /mnt/final --to /var/lib/tsubame\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = 1,
    .json = true,
    .run = run,
};
