/* tsubame suppress: who is not to be sent to. Changes go to a running server, or into the store; what only
 * reads reads the store. */
#include "command.h"
#include "ctl_suppress.h"
#include "instance.h"
#include "memfile.h"
#include "show.h"
#include "show_suppress.h"
#include "suppress_csv.h"
#include "suppressing.h"
#include "talk.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REASON = 1, NOTE = 2, SINCE = 4, LIMIT = 8, AFTER = 16, COLUMN = 32, REJECTS = 64 };
enum { AT_ONCE = 100, FLUSH_AT = 256 * 1024 };

static const struct arg args[] = {
    {"reason", 0, "REASON", "bounce, complaint, unsubscribe or manual (of list: only these)"},
    {"note", 0, "TEXT", "add: why, in your own words"},
    {"since", 0, "TIME", "list: only what came since then: 2026-11-25, or how long ago: 7d"},
    {"limit", 0, "N", "list: at most so many"},
    {"after", 0, "ADDRESS", "list: go on behind this address"},
    {"address-column", 0, "COLUMN",
     "import: the column of addresses (else the one called email, address, mail or to)"},
    {"rejects", 0, "FILE", "import: where rows that cannot be used are written, with line and reason"},
};
static const unsigned arg_bits[] = {REASON, NOTE, SINCE, LIMIT, AFTER, COLUMN, REJECTS};

struct action {
    const char *name;
    unsigned takes; /* options */
    unsigned least, most;
    int (*run)(struct invocation *in);
};

static int take_reason(struct invocation *in, enum suppress_reason *reason) {
    const char *word = invocation_value(in, "reason");
    *reason = suppress_reason_by_name(slice_of(word));
    if (!word || *reason) return EXIT_DONE;
    return command_complain(EXIT_USAGE, "--reason: '%s' is none of bounce, complaint, unsubscribe, manual",
                            word);
}

/* ---- where changes go ---- */

struct target {
    struct talk server;
    bool there; /* a server answers */
    struct store *store;
    struct suppressing here;
};

static int target_open(struct target *t, const struct options *o, struct err *err) {
    *t = (struct target){0};
    if (talk_connect(&t->server, o->control.socket, err) == 0) {
        t->there = true;
        return 0;
    }
    if (err->kind != ERR_ABSENT) return -1;
    t->store = instance_store(o, false, err);
    if (!t->store) return -1;
    if (suppressing_open(&t->here, t->store, err) == 0) return 0;
    store_free(t->store);
    return -1;
}

static void target_close(struct target *t) {
    if (t->there) {
        talk_done(&t->server);
        return;
    }
    suppressing_close(&t->here);
    store_free(t->store);
}

/* ---- add, remove ---- */

struct changing {
    struct invocation *in;
    enum suppress_source source; /* SUPPRESS_NO_SOURCE: remove */
    struct suppress_row row;
    struct suppress_entry entries[OPERAND_MOST];
    size_t count;
};

static int ask_server(struct changing *c, struct talk *server, struct suppress_entry *entries, size_t count,
                      struct err *err) {
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", SLICE("suppress"));
    jdoc_put_text(request, "change", c->source ? SLICE("add") : SLICE("remove"));
    if (c->row.reason) jdoc_put_text(request, "reason", slice_of(suppress_reason_name(c->row.reason)));
    if (c->row.note.at) jdoc_put_text(request, "note", c->row.note);
    struct jdoc *list = jdoc_child_list(request, "addresses");
    for (size_t i = 0; i < count; i++)
        jdoc_put_text(jdoc_item_object(list), "address", entries[i].address);
    struct jdoc *reply = talk_ask(server, request, NULL, 0, NULL, NULL, err);
    jdoc_free(request);
    if (!reply) return -1;
    const struct jdoc *changes = jdoc_get(reply, "changes");
    for (size_t i = 0; i < count; i++) {
        struct slice name = jdoc_text(jdoc_item(changes, i), "change");
        entries[i].change = SUPPRESS_UNCHANGED;
        for (int k = SUPPRESS_UNCHANGED; k <= SUPPRESS_REMOVED; k++)
            if (slice_eq(name, slice_of(ctl_suppress_change_name((enum suppress_change)k))))
                entries[i].change = (enum suppress_change)k;
    }
    jdoc_free(reply);
    return 0;
}

static int apply(struct changing *c, struct err *err) {
    struct target t;
    int failed = target_open(&t, c->in->options, err);
    if (failed) return -1;
    for (size_t i = 0; i < c->count && !failed; i += AT_ONCE) {
        size_t n = c->count - i < AT_ONCE ? c->count - i : AT_ONCE;
        failed = t.there ? ask_server(c, &t.server, &c->entries[i], n, err)
                         : suppressing_apply(&t.here, c->source, &c->entries[i], n, err);
    }
    target_close(&t);
    return failed;
}

static int tell_changes(const struct changing *c) {
    struct buf out;
    struct jdoc *list = jdoc_list();
    bool absent = false;
    buf_init(&out, 16 << 20);
    for (size_t i = 0; i < c->count; i++) {
        const struct suppress_entry *e = &c->entries[i];
        bool nothing = e->change == SUPPRESS_UNCHANGED;
        struct jdoc *one = jdoc_item_object(list);
        jdoc_put_text(one, "address", e->address);
        jdoc_put_text(one, "change", slice_of(ctl_suppress_change_name(e->change)));
        absent = absent || (nothing && !c->source);
        if (c->in->json) continue;
        show_text(&out, e->address);
        buf_printf(&out, "  %s\n",
                   !nothing    ? ctl_suppress_change_name(e->change)
                   : c->source ? "was on the list already"
                               : "was not on the list");
    }
    if (c->in->json) jdoc_write(list, true, &out);
    int code = command_print(&out);
    jdoc_free(list);
    buf_done(&out);
    return code == EXIT_DONE && absent ? EXIT_ABSENT : code;
}

/* All addresses are looked at before any is changed. */
static int run_change(struct invocation *in, enum suppress_source source) {
    static struct changing c;
    struct arena arena;
    struct address address;
    struct err err;
    c = (struct changing){.in = in, .source = source};
    int code = take_reason(in, &c.row.reason);
    c.row.note = slice_of(invocation_value(in, "note"));
    if (code) return code;
    if (suppress_csv_note(c.row.note, &err)) return command_complain(EXIT_USAGE, "--note: %s", err.text);
    arena_init(&arena, 1 << 20);
    for (unsigned i = 1; i < in->operand_count && !code; i++) {
        struct suppress_entry *e = &c.entries[c.count++];
        if (address_parse(slice_of(in->operands[i]), &arena, &address, &err))
            code = command_complain(EXIT_USAGE, "'%s' is not an address: %s", in->operands[i], err.text);
        *e = (struct suppress_entry){.address = code ? (struct slice){0} : address.text, .row = c.row};
    }
    if (!code) code = apply(&c, &err) ? command_fail(&err) : tell_changes(&c);
    arena_done(&arena);
    return code;
}

static int run_add(struct invocation *in) {
    return run_change(in, SUPPRESS_BY_COMMAND);
}
static int run_remove(struct invocation *in) {
    return run_change(in, SUPPRESS_NO_SOURCE);
}

/* ---- list, export, show ---- */

static struct store *open_store(struct invocation *in, int *code) {
    struct err err;
    struct store *store = instance_store(in->options, true, &err);
    if (store) return store;
    *code = err.kind == ERR_ABSENT ? command_complain(EXIT_ABSENT, "there is no store at %s (store.path)",
                                                      in->options->store.path)
                                   : command_fail(&err);
    return NULL;
}

struct listing {
    struct buf out;
    int fd; /* of a file; -1: standard output */
    bool csv, json;
    enum suppress_reason reason;
    wall_us since;
    uint64_t left, shown;
    int code;
    struct err err;
};

static int write_out(struct listing *l) {
    if (l->fd < 0) {
        l->code = command_print(&l->out);
    } else if (l->out.failed) {
        l->code = command_complain(EXIT_FAILED, "out of memory");
    } else {
        for (size_t at = 0; at < l->out.len && !l->code;) {
            ssize_t n = write(l->fd, l->out.at + at, l->out.len - at);
            if (n < 0 && errno != EINTR)
                l->code = err_errno(&l->err, errno, "writing") ? command_fail(&l->err) : 0;
            if (n > 0) at += (size_t)n;
        }
    }
    buf_reset(&l->out);
    return l->code;
}

static int list_one(void *ctx, struct slice address, const struct suppress_row *row) {
    struct listing *l = ctx;
    if ((l->reason && row->reason != l->reason) || row->at < l->since) return 0;
    if (l->left-- == 0) return 1;
    if (l->csv) {
        suppress_csv_put(&l->out, address, row);
    } else if (l->json) {
        struct jdoc *o = jdoc_object();
        show_suppress_json(o, address, row);
        buf_put_text(&l->out, l->shown ? ",\n " : "\n ");
        if (jdoc_write(o, false, &l->out)) l->out.len--; /* without its line end */
        jdoc_free(o);
    } else {
        show_suppress_line(&l->out, address, row);
    }
    l->shown++;
    return 0;
}

static int list_pause(void *ctx) {
    struct listing *l = ctx;
    return l->out.len < FLUSH_AT ? 0 : write_out(l);
}

static int walk(struct invocation *in, struct listing *l, struct slice after) {
    struct store *store = open_store(in, &l->code);
    if (!store) return l->code;
    buf_init(&l->out, 64 << 20);
    if (l->csv) suppress_csv_head(&l->out);
    if (l->json) buf_put_c(&l->out, '[');
    if (suppressed_each(store, 0, after, list_one, list_pause, l, &l->err)) l->code = command_fail(&l->err);
    if (l->json) buf_put_text(&l->out, l->shown ? "\n]\n" : "]\n");
    if (!l->code) write_out(l);
    buf_done(&l->out);
    store_free(store);
    return l->code;
}

static int take_since(const char *text, wall_us *since) {
    int64_t ago;
    if (!text || suppress_csv_time(slice_of(text), since)) return EXIT_DONE;
    if (units_duration(slice_of(text), &ago)) return *since = clock_wall() - ago, EXIT_DONE;
    return command_complain(EXIT_USAGE,
                            "--since: expected a time such as 2026-11-25, or a duration such as 7d");
}

static int run_list(struct invocation *in) {
    struct listing l = {.fd = -1, .json = in->json, .left = UINT64_MAX};
    const char *limit = invocation_value(in, "limit");
    int code = take_reason(in, &l.reason);
    if (!code) code = take_since(invocation_value(in, "since"), &l.since);
    if (!code && limit && !slice_to_u64(slice_of(limit), &l.left))
        code = command_complain(EXIT_USAGE, "--limit: expected a whole number, not '%s'", limit);
    return code ? code : walk(in, &l, slice_of(invocation_value(in, "after")));
}

static int run_export(struct invocation *in) {
    struct listing l = {.fd = -1, .csv = true, .left = UINT64_MAX};
    struct err err;
    const char *path = in->operand_count > 1 ? in->operands[1] : "-";
    if (strcmp(path, "-") == 0) return walk(in, &l, (struct slice){0});
    l.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (l.fd < 0) {
        err_errno(&err, errno, "%s", path);
        return command_fail(&err);
    }
    int code = walk(in, &l, (struct slice){0});
    if (!code && fsync(l.fd) && errno != EINVAL && errno != EROFS) {
        err_errno(&err, errno, "%s", path);
        code = command_fail(&err);
    }
    close(l.fd);
    if (!code) command_complain(0, "%llu addresses are in %s", (unsigned long long)l.shown, path);
    return code;
}

static void json_of(struct jdoc *o, struct slice address, const struct suppressed *found) {
    const struct suppress_row counted = {
        .at = found->count.at, .failures = found->count.failures, .proof = found->count.proof};
    if (found->listed || found->counted)
        show_suppress_json(o, address, found->listed ? &found->row : &counted);
    jdoc_put_text(o, "address", address);
    jdoc_put_bool(o, "listed", found->listed);
}

static int run_show(struct invocation *in) {
    struct arena arena;
    struct address address;
    struct suppressed found;
    struct buf out;
    struct err err;
    int code = EXIT_DONE;
    arena_init(&arena, 4096);
    buf_init(&out, 1 << 20);
    if (address_parse(slice_of(in->operands[1]), &arena, &address, &err))
        code = command_complain(EXIT_USAGE, "'%s' is not an address: %s", in->operands[1], err.text);
    struct store *store = code ? NULL : open_store(in, &code);
    if (store && suppressed_find(store, 0, address.text, &found, &err)) code = command_fail(&err);
    if (store && !code) {
        struct jdoc *o = jdoc_object();
        if (in->json) {
            json_of(o, address.text, &found);
            jdoc_write(o, true, &out);
        } else {
            show_suppress(&out, address.text, &found);
        }
        jdoc_free(o);
        code = command_print(&out);
        if (!code && !found.listed) code = EXIT_ABSENT;
    }
    store_free(store);
    buf_done(&out);
    arena_done(&arena);
    return code;
}

/* ---- import ---- */

static void say_progress(const struct suppress_counts *c, bool end) {
    struct buf line;
    buf_init(&line, 4096);
    buf_put_text(&line, end ? "imported: " : "importing: ");
    units_put_grouped(&line, c->rows);
    buf_put_text(&line, " rows, ");
    units_put_grouped(&line, c->added);
    buf_put_text(&line, " added, ");
    units_put_grouped(&line, c->changed);
    buf_put_text(&line, " changed, ");
    units_put_grouped(&line, c->unchanged);
    buf_put_text(&line, " there already, ");
    units_put_grouped(&line, c->rejected);
    buf_put_text(&line, " rejected");
    command_complain(0, "%.*s", SLICE_ARG(buf_slice(&line)));
    buf_done(&line);
}

static void tell_here(void *ctx, const struct suppress_counts *c) {
    (void)ctx;
    say_progress(c, false);
}

static void tell_there(void *ctx, const struct jdoc *reply) {
    struct suppress_counts c;
    (void)ctx;
    ctl_suppress_take_counts(reply, &c);
    say_progress(&c, false);
}

static int import_there(struct talk *server, const struct suppress_import *i, struct suppress_counts *counts,
                        struct err *err) {
    struct err saved;
    int fds[2] = {i->fd, i->rejects ? memfile_open("rejects", (struct slice){0}, err) : -1};
    if (i->rejects && fds[1] < 0) return -1;
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", SLICE("suppress-import"));
    jdoc_put_text(request, "address_column", i->address_column);
    if (i->reason) jdoc_put_text(request, "reason", slice_of(suppress_reason_name(i->reason)));
    struct jdoc *reply = talk_ask(server, request, fds, i->rejects ? 2 : 1, tell_there, NULL, err);
    jdoc_free(request);
    int failed = reply ? 0 : -1;
    if (reply) ctl_suppress_take_counts(reply, counts);
    jdoc_free(reply);
    if (fds[1] >= 0 && memfile_save(fds[1], i->rejects, &saved) && !failed) *err = saved, failed = -1;
    if (fds[1] >= 0) close(fds[1]);
    return failed;
}

static int tell_import(struct invocation *in, const struct suppress_counts *counts, const char *rejects) {
    struct buf out;
    say_progress(counts, true);
    if (counts->rejected && rejects)
        command_complain(0, "rejected rows, with line and reason, are in %s", rejects);
    else if (counts->rejected)
        command_complain(0, "--rejects FILE writes the rejected rows down, with line and reason");
    if (!in->json) return EXIT_DONE;
    struct jdoc *o = jdoc_object();
    buf_init(&out, 4096);
    ctl_suppress_put_counts(o, counts);
    jdoc_write(o, true, &out);
    int code = command_print(&out);
    jdoc_free(o);
    buf_done(&out);
    return code;
}

/* The file of rejects must not be written over what is being read. */
static bool is_same(int fd, const char *path) {
    struct stat a, b;
    return path && fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino && S_ISREG(b.st_mode);
}

static int run_import(struct invocation *in) {
    const char *path = in->operands[1];
    struct suppress_import i = {.address_column = slice_of(invocation_value(in, "address-column")),
                                .rejects = invocation_value(in, "rejects"),
                                .progress = tell_here};
    struct suppress_counts counts;
    struct target t;
    struct err err;
    int code = take_reason(in, &i.reason);
    if (code) return code;
    i.fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (i.fd < 0) {
        err_errno(&err, errno, "%s", path);
        return command_fail(&err);
    }
    if (is_same(i.fd, i.rejects)) {
        close(i.fd);
        return command_complain(EXIT_USAGE, "--rejects: %s is what is to be imported: give another file",
                                i.rejects);
    }
    int failed = target_open(&t, in->options, &err);
    if (!failed) {
        failed = t.there ? import_there(&t.server, &i, &counts, &err)
                         : suppress_import(&i, &t.here, &counts, &err);
        target_close(&t);
    }
    if (i.fd != STDIN_FILENO) close(i.fd);
    if (failed && err.kind == ERR_INPUT) err_wrap(&err, "%.200s", path);
    return failed ? command_fail(&err) : tell_import(in, &counts, i.rejects);
}

/* ---- the command ---- */

static const struct action actions[] = {
    {"add", REASON | NOTE, 1, OPERAND_MOST, run_add},         {"remove", 0, 1, OPERAND_MOST, run_remove},
    {"list", REASON | SINCE | LIMIT | AFTER, 0, 0, run_list}, {"show", 0, 1, 1, run_show},
    {"import", REASON | COLUMN | REJECTS, 1, 1, run_import},  {"export", 0, 0, 1, run_export},
};

static int run(struct invocation *in) {
    unsigned operands = in->operand_count - 1;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const struct action *a = &actions[i];
        if (strcmp(a->name, in->operands[0]) != 0) continue;
        for (size_t k = 0; k < sizeof args / sizeof *args; k++)
            if (in->values[k] && !(a->takes & arg_bits[k]))
                return command_complain(EXIT_USAGE, "suppress %s does not know --%s", a->name, args[k].name);
        if (operands < a->least)
            return command_complain(EXIT_USAGE, "suppress %s expects %s (see `tsubame suppress --help`)",
                                    a->name, a->run == run_import ? "a file" : "an address");
        if (operands > a->most)
            return command_complain(EXIT_USAGE, "suppress %s does not expect '%s'", a->name,
                                    in->operands[1 + a->most]);
        return a->run(in);
    }
    return command_complain(EXIT_USAGE, "suppress: '%s' is none of add, remove, list, show, import, export",
                            in->operands[0]);
}

const struct command command_suppress = {
    .name = "suppress",
    .operands = "add|remove|list|show|import|export [ADDRESS...|FILE]",
    .summary = "the list of those who get no mail: see it, change it, move it",
    .text =
        "  add ADDRESS...     from now on they get nothing, from running campaigns too\n"
        "  remove ADDRESS...  they are sent to again\n"
        "  list               who is on it, why and since when\n"
        "  show ADDRESS       all that is known of one: reason, the receiver's words,\n"
        "                     failures counted\n"
        "  import FILE        a CSV file with a header, or one address a line; - is\n"
        "                     standard input. Columns: address, reason, since, note, and\n"
        "                     all that export writes\n"
        "  export [FILE]      all of it as CSV, which import reads back to the same\n\n"
        "Receivers that do not know an address put it on the list by themselves (suppress.auto), and so "
        "does\n"
        "mail that failed several times in a row (suppress.after). A recipient on the list is counted as\n"
        "suppressed. Changes are in force, and on the disk, when the command returns.\n",
    .examples = "  tsubame suppress add anna@example.com --reason unsubscribe --note \"by phone\"\n"
                "  tsubame suppress import old-list.csv --reason bounce --rejects bad.csv\n"
                "  tsubame suppress list --reason bounce --since 7d --json\n"
                "  tsubame suppress export list.csv\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = OPERAND_MOST,
    .json = true,
    .run = run,
};
