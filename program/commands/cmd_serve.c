/* tsubame serve: binds, drops privileges, runs, drains. Signals come to this thread alone. */
#include "command.h"
#include "ctl.h"
#include "instance.h"
#include "log.h"
#include "metrics.h"
#include "serve_metrics.h"
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TURN_MS = 1000 };

struct server {
    struct invocation *in;
    const struct options *options;
    struct service_user user;
    struct instance instance;
    struct ctl *ctl;
    struct metrics_server *metrics;
    int signals;
    int log_file;             /* -1: none was opened yet */
    struct err history_error; /* as it was logged last */
    uint64_t worked;          /* sessions opened and mails delivered at the last turn */
};

static enum log_level level_of(int word) {
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG,
                                            LOG_LEVEL_OFF};
    return levels[word];
}

/* The log goes where the options say, opened anew. The descriptor of a file stays the same one, for other
 * threads write to it meanwhile. */
static int use_log(struct server *s, const struct options *o, struct err *err) {
    enum log_level level = level_of(o->log.level);
    if (!o->log.file) return log_setup(STDERR_FILENO, level), 0;
    /* A FIFO that nobody reads shall be an error, not a wait without end. */
    int fd = open(o->log.file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0) return err_errno(err, errno, "log.file: %s", o->log.file);
    fcntl(fd, F_SETFL, O_APPEND);
    if (s->log_file < 0) {
        s->log_file = fd;
    } else {
        dup3(fd, s->log_file, O_CLOEXEC);
        close(fd);
    }
    log_setup(s->log_file, level);
    return 0;
}

/* The folder of the socket must be there, and the server's own, before the store is opened by whom it
 * becomes. */
static int make_folder(const struct server *s, struct err *err) {
    const char *path = s->options->store.path;
    if (mkdir(path, 0700) == 0) {
        if (s->user.change && chown(path, s->user.uid, s->user.gid)) return err_errno(err, errno, "%s", path);
    } else if (errno != EEXIST) {
        return err_errno(err, errno, "store.path: %s", path);
    }
    return 0;
}

static int bind_all(struct server *s, struct err *err) {
    const struct options *o = s->options;
    if (make_folder(s, err)) return -1;
    s->ctl = ctl_open(o->control.socket, (unsigned)o->control.mode, err);
    if (!s->ctl) return -1;
    if (s->user.change && ctl_give(s->ctl, s->user.uid, s->user.gid, err)) return -1;
    if (o->metrics.listen.family == NET_NONE) return 0;
    s->metrics = metrics_open(&o->metrics.listen, err);
    return s->metrics ? 0 : -1;
}

static int take_signals(struct server *s, struct err *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC);
    return s->signals < 0 ? err_errno(err, errno, "signals") : 0;
}

static int start(struct server *s, struct err *err) {
    const struct options *o = s->options;
    if (service_find_user(o, &s->user, err) || instance_raise_files(o, err) || take_signals(s, err) ||
        bind_all(s, err) || service_become(&s->user, err) || use_log(s, o, err) ||
        instance_open(&s->instance, o, err))
        return -1;
    if (s->metrics) metrics_ready(s->metrics, serve_metrics, &s->instance);
    return ctl_start(s->ctl, &s->instance, err);
}

static void put_records(const struct option *opt, const struct options *o, struct buf *out) {
    const struct option_records *records = (const void *)((const char *)o + opt->offset);
    for (size_t i = 0; i < records->count; i++)
        for (size_t f = 0; f < opt->field_count; f++) {
            option_put_value(&opt->fields[f], (const char *)records->at + i * opt->record_size, out);
            buf_put_c(out, '\n');
        }
}

static void put_option(const struct option *opt, const struct options *o, struct buf *out) {
    buf_init(out, 4 << 20);
    if (opt->type == OPTION_RECORDS)
        put_records(opt, o, out);
    else
        option_put_value(opt, o, out);
}

/* The log, the DKIM keys and the rules of retention change; of all else that differs the log says that it
 * waits for a restart.
 */
static void compare(const struct server *s, const struct options *fresh) {
    size_t count;
    const struct option *table = options_table(&count);
    for (size_t i = 0; i < count; i++) {
        struct buf was, is;
        if (table[i].reload) continue;
        put_option(&table[i], s->options, &was);
        put_option(&table[i], fresh, &is);
        if (!slice_eq(buf_slice(&was), buf_slice(&is)))
            log_say(LOG_LEVEL_WARN, "needs-restart", "key", table[i].key, NULL);
        buf_done(&was);
        buf_done(&is);
    }
}

static void reload(struct server *s) {
    struct buf problems;
    buf_init(&problems, 65536);
    service_reloading();
    struct options *fresh = options_load(s->options->file, s->in->sets, s->in->set_count, &problems);
    struct err err;
    if (fresh && (use_log(s, fresh, &err) || instance_set_dkim(&s->instance, fresh, &err))) {
        log_say(LOG_LEVEL_ERROR, "reload-failed", "problem", err.text, NULL);
    } else if (fresh) {
        compare(s, fresh);
        instance_set_retention(&s->instance, fresh);
        log_say(LOG_LEVEL_INFO, "reloaded", NULL);
    } else {
        struct slice line, rest = buf_slice(&problems);
        while (slice_cut(&rest, '\n', &line)) {
            if (!line.len) continue;
            log_begin(LOG_LEVEL_ERROR, "reload-failed");
            log_slice("problem", line);
            log_end();
        }
    }
    options_free(fresh);
    buf_done(&problems);
    service_ready("running");
}

/* A history that can't be written holds nothing up, so it has to say so itself: once for each reason. */
static void tell_history(struct server *s) {
    struct projector_stats stats;
    struct err err;
    projector_stats(s->instance.projector, &stats, &err);
    bool news = strcmp(err.text, s->history_error.text) != 0;
    s->history_error = err;
    if (news && err.kind)
        log_say(LOG_LEVEL_ERROR, "history-stuck", "error", err.text, NULL);
    else if (news)
        log_say(LOG_LEVEL_INFO, "history-goes-on", NULL);
}

/* A burst of sessions, and the loading of a list, leave each thread's heap full of holes. Their pages go back
 * to the system (some milliseconds), for the next burst may be days away or another thread's. */
static void give_back_memory(struct server *s, const struct engine_counters *c) {
    uint64_t worked = c->sessions_opened + c->delivered;
    if (worked == s->worked) return;
    s->worked = worked;
    malloc_trim(0);
}

static void tell_status(struct server *s) {
    struct engine_counters c;
    char text[512];
    tell_history(s);
    instance_watch(&s->instance);
    engine_counters(s->instance.engine, &c);
    give_back_memory(s, &c);
    snprintf(text, sizeof text, "%llu sessions open, %llu delivered%s%s", (unsigned long long)c.sessions_open,
             (unsigned long long)c.delivered, c.stalled ? "; stalled: " : "", c.stalled ? c.stall_text : "");
    service_status(text);
}

/* Until SIGTERM or SIGINT. The watchdog is told only after the owner thread has answered. */
static void run_until_told(struct server *s) {
    int64_t pace = service_watchdog_us();
    int turn = pace > 0 && pace / 1000 < TURN_MS * 10 ? (int)(pace / 1000) : TURN_MS * 10;
    struct pollfd p = {s->signals, POLLIN, 0};
    for (;;) {
        struct signalfd_siginfo info;
        tell_status(s);
        service_alive();
        log_flush();
        if (poll(&p, 1, turn) <= 0) continue;
        if (read(s->signals, &info, sizeof info) != sizeof info) continue;
        if (info.ssi_signo != SIGHUP) return;
        reload(s);
    }
}

/* A second signal ends the process at once: the ledger stands that, and knows who is uncertain. */
static void *second_signal(void *arg) {
    struct server *s = arg;
    struct signalfd_siginfo info = {0};
    ssize_t n;
    do
        n = read(s->signals, &info, sizeof info);
    while (n < 0 ? errno == EINTR : info.ssi_signo == SIGHUP);
    log_say(LOG_LEVEL_WARN, "ended-at-once", NULL);
    log_flush();
    _exit(EXIT_INTERRUPTED);
}

static int stop(struct server *s, struct err *err) {
    pthread_t watcher;
    service_stopping();
    log_say(LOG_LEVEL_INFO, "stopping", NULL);
    log_flush();
    stopwatch_start(&s->instance.stopwatch, s->instance.store); /* clients may wait for a commit too */
    if (pthread_create(&watcher, NULL, second_signal, s) == 0) pthread_detach(watcher);
    ctl_close(s->ctl);
    metrics_close(s->metrics);
    return instance_close(&s->instance, s->options->deliver.grace, err);
}

static int run(struct invocation *in) {
    struct server s = {.in = in, .options = in->options, .signals = -1, .log_file = -1};
    struct err err;
    log_setup(STDERR_FILENO, level_of(in->options->log.level));
    if (start(&s, &err)) {
        struct err ignored;
        ctl_close(s.ctl);
        metrics_close(s.metrics);
        if (s.instance.engine) instance_close(&s.instance, 0, &ignored);
        return command_fail(&err);
    }
    log_say(LOG_LEVEL_INFO, "ready", "store", in->options->store.path, "socket", in->options->control.socket,
            NULL);
    service_ready("running");
    run_until_told(&s);
    int code = stop(&s, &err) ? command_fail(&err) : EXIT_DONE;
    log_say(LOG_LEVEL_INFO, "stopped", NULL);
    log_flush();
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "run as a server, in the foreground",
    .text = "Goes on with what is in the store and takes campaigns from `tsubame send`. Logs to standard "
            "error,\nor to log.file.\n\n"
            "  SIGTERM, SIGINT  finish what is on the wire (deliver.grace), write all, end.\n"
            "                   While the disk is full that waits for room, and the log says\n"
            "                   so. A second one ends at once: nothing is lost, what was on\n"
            "                   the wire is uncertain\n"
            "  SIGHUP           read the configuration again: log.level, the DKIM keys,\n"
            "                   history.keep and history.max_size change, log.file is opened\n"
            "                   anew; the log names what waits for a restart\n\n"
            "Started by root it binds and then becomes run.user. Tells systemd when it is ready.\n",
    .examples = "  tsubame serve --config /etc/tsubame/tsubame.yaml\n"
                "  tsubame serve --set log.level=debug\n",
    .run = run,
};
