/* Facts of the machine and of the files that the configuration names. */
#include "doctor.h"

#include "classify.h"
#include "dkim_check.h"
#include "personal.h"
#include "tls.h"
#include "view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

enum { GROUPS_OF_USER = 256 };

/* ---- files that are named ---- */

static void put_lines(struct doctor *d, const struct buf *lines, enum verdict_result result,
                      const char *why) {
    struct slice line, rest = buf_slice(lines);
    while (slice_cut(&rest, '\n', &line)) {
        struct verdict v;
        if (!line.len) continue;
        verdict_set(&v, result, "%.*s", line.len > 390 ? 390 : (int)line.len, line.at);
        verdict_why(&v, why);
        verdict_mend(&v, "Correct that place; `tsubame config check` says more");
        doctor_find(d, "", &v);
    }
}

static void check_keys(struct doctor *d) {
    struct buf problems, warnings;
    buf_init(&problems, 1 << 20);
    buf_init(&warnings, 1 << 20);
    dkim_check(d->options, clock_wall(), &problems, &warnings);
    put_lines(d, &problems, VERDICT_WRONG, "The server does not start so.");
    put_lines(d, &warnings, VERDICT_ADVICE, "It works, and should not stay so.");
    buf_done(&problems);
    buf_done(&warnings);
}

static void check_loads(struct doctor *d, const char *key, const char *path, int failed,
                        const struct err *err) {
    struct verdict v;
    if (!path) return;
    if (failed) {
        verdict_set(&v, VERDICT_WRONG, "%.390s", err->text);
        verdict_why(&v, "The server does not start so.");
        verdict_mend(&v, "Correct the file, or what the configuration says: %s", key);
    } else {
        verdict_set(&v, VERDICT_GOOD, "%s: can be read and is right", path);
    }
    doctor_find(d, key, &v);
}

void doctor_configuration(struct doctor *d) {
    const struct options *o = d->options;
    struct verdict v;
    struct err err;
    verdict_set(&v, VERDICT_GOOD, d->file ? "%s: without faults" : "%s",
                d->file ? d->file : "no file: the defaults hold");
    doctor_find(d, "", &v);
    struct classify_rules *rules = classify_rules_load(o->replies.rules, &err);
    check_loads(d, "replies.rules", o->replies.rules, !rules, &err);
    classify_rules_free(rules);
    struct tls_client_ctx *tls =
        tls_client_open(&(struct tls_client_options){.ca_file = o->tls.ca_file}, &err);
    check_loads(d, "tls.ca_file", o->tls.ca_file, !tls, &err);
    tls_client_close(tls);
    int folder = -1, failed = personal_folder(o->attachments.folder, &folder, &err);
    check_loads(d, "attachments.folder", o->attachments.folder, failed, &err);
    if (folder >= 0) close(folder);
    check_keys(d);
}

static bool is_member(const struct doctor *d, unsigned gid) {
    gid_t groups[GROUPS_OF_USER];
    int n = GROUPS_OF_USER;
    const struct passwd *pw = getpwuid(d->user.uid);
    if (d->user.gid == gid) return true;
    if (!pw || getgrouplist(pw->pw_name, d->user.gid, groups, &n) < 0) return false;
    for (int i = 0; i < n; i++)
        if (groups[i] == gid) return true;
    return false;
}

static void check_access(struct doctor *d, const char *what, const char *path, bool folder, bool secret,
                         bool write) {
    struct stat st;
    struct verdict v;
    if (!path) return;
    if (stat(path, &st)) {
        if (errno == ENOENT && folder && write) return; /* it is made at the start */
        verdict_set(&v, VERDICT_WRONG, "%s (%s): %s", path, what, strerror(errno));
        verdict_why(&v, "The server does not start without it.");
        verdict_mend(&v, "Put it there, or correct what the configuration says: %s", what);
    } else {
        struct access_facts f = {.path = path,
                                 .what = what,
                                 .mode = st.st_mode,
                                 .uid = st.st_uid,
                                 .gid = st.st_gid,
                                 .folder = folder,
                                 .secret = secret,
                                 .needs_write = write,
                                 .user = d->user.uid,
                                 .user_name = d->user_name,
                                 .is_in_group = is_member(d, st.st_gid)};
        verdict_access(&f, &v);
    }
    doctor_find(d, what, &v);
}

void doctor_permissions(struct doctor *d) {
    const struct options *o = d->options;
    const struct option_dkim *keys = o->dkim.at;
    const struct option_source *sources = o->sources.at;
    check_access(d, "configuration", d->file, false, false, false);
    check_access(d, "store.path", o->store.path, true, true, true);
    check_access(d, "replies.rules", o->replies.rules, false, false, false);
    check_access(d, "tls.ca_file", o->tls.ca_file, false, false, false);
    check_access(d, "dns.trust_anchor", o->dns.trust_anchor, false, false, false);
    check_access(d, "attachments.folder", o->attachments.folder, true, false, false);
    for (size_t i = 0; i < o->dkim.count; i++) {
        char what[64];
        snprintf(what, sizeof what, "dkim[%zu].key_file", i);
        check_access(d, what, keys[i].key_file, false, true, false);
    }
    for (size_t i = 0; i < o->sources.count; i++) {
        char what[64];
        snprintf(what, sizeof what, "sources[%zu].proxy.password_file", i);
        check_access(d, what, sources[i].proxy.password_file, false, true, false);
    }
}

/* ---- limits ---- */

/* The number behind "Name:" in a file of /proc, or the first of the file; 0 when it is not there. */
static uint64_t proc_number(const char *path, const char *name, uint64_t *second) {
    char line[256];
    uint64_t value = 0;
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    while (value == 0 && fgets(line, sizeof line, f)) {
        struct slice rest = slice_trim(slice_of(line)), word;
        if (name &&
            !slice_eq(slice_make(rest.at, rest.len < strlen(name) ? rest.len : strlen(name)), slice_of(name)))
            continue;
        rest = slice_trim(slice_skip(rest, name ? strlen(name) : 0));
        size_t n = 0;
        while (n < rest.len && ascii_digit(rest.at[n]))
            n++;
        word = slice_make(rest.at, n);
        if (!slice_to_u64(word, &value)) break;
        rest = slice_trim(slice_skip(rest, n));
        if (second && !slice_to_u64(rest, second)) *second = 0;
    }
    fclose(f);
    return value;
}

void doctor_limits(struct doctor *d) {
    const struct options *o = d->options;
    struct rlimit files = {0};
    struct verdict v;
    uint64_t sessions = (uint64_t)o->deliver.max_sessions, high = 0;
    getrlimit(RLIMIT_NOFILE, &files);
    verdict_files(&(struct files_facts){files.rlim_cur, files.rlim_max, sessions, INSTANCE_FILES_BESIDE}, &v);
    doctor_find_as(d, "files", "", &v);
    uint64_t available = proc_number("/proc/meminfo", "MemAvailable:", NULL) * 1024;
    verdict_memory(&(struct memory_facts){available, sessions, (uint64_t)o->history.memory}, &v);
    doctor_find_as(d, "memory", "", &v);
    uint64_t low = proc_number("/proc/sys/net/ipv4/ip_local_port_range", NULL, &high);
    struct ports_facts ports = {(unsigned)low, (unsigned)high, sessions, (unsigned)o->sources.count};
    verdict_ports(&ports, &v);
    doctor_find_as(d, "ports", "", &v);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    verdict_workers(o->deliver.workers, processors > 0 ? (unsigned)processors : 1, &v);
    doctor_find_as(d, "processors", "", &v);
}

/* ---- clock ---- */

static wall_us program_time(void) {
    struct stat st;
    return stat("/proc/self/exe", &st) ? 0 : st.st_mtim.tv_sec * US_PER_SEC;
}

static wall_us ledger_time(const struct doctor *d) {
    struct err err;
    size_t count;
    wall_us newest = 0;
    struct view *v = d->store ? view_open(d->store, &err) : NULL;
    const struct campaign_row *all = v && view_begin(v, 0, &err) == 0 ? view_campaigns(v, &count) : NULL;
    for (size_t i = 0; all && i < count; i++) {
        const wall_us times[] = {all[i].created, all[i].ready, all[i].ended};
        for (int k = 0; k < 3; k++)
            if (times[k] > newest) newest = times[k];
    }
    view_free(v);
    return newest;
}

void doctor_clock(struct doctor *d) {
    struct timex t = {0};
    struct verdict v;
    int state = adjtimex(&t);
    struct clock_facts f = {.known = state >= 0,
                            .synchronised = state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC),
                            .now = clock_wall()};
    verdict_clock(&f, &v);
    doctor_find_as(d, "synchronised", "", &v);
    wall_us ledger = ledger_time(d), program = program_time();
    f.newest = ledger > program ? ledger : program;
    f.newest_is = ledger > program ? "the newest campaign in the ledger" : "the program's file";
    verdict_clock_back(&f, &v);
    doctor_find_as(d, "time", "", &v);
}

/* ---- where it listens ---- */

void doctor_listen(struct doctor *d) {
    const struct net_addr *at = &d->options->metrics.listen;
    char text[NET_ADDR_TEXT_MAX];
    struct sockaddr_storage addr;
    struct verdict v;
    int on = 1;
    if (at->family == NET_NONE) {
        verdict_set(&v, VERDICT_UNCHECKED, "metrics.listen is off");
        doctor_find(d, "", &v);
        return;
    }
    net_addr_format_port(at, text);
    socklen_t n = net_addr_to_sockaddr(at, &addr);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int failed = fd < 0 || bind(fd, (struct sockaddr *)&addr, n) || listen(fd, 1), why = errno;
    if (fd >= 0) close(fd);
    if (failed && why == EADDRINUSE && d->server) {
        verdict_set(&v, VERDICT_GOOD, "%s is the running server's", text);
    } else if (failed) {
        verdict_set(&v, VERDICT_WRONG, "%s: %s", text, strerror(why));
        verdict_why(&v, "The server does not start when it can't listen where metrics.listen says.");
        verdict_mend(
            &v, "ss -ltnp shows who is there; in the configuration: metrics.listen: another address, or off");
    } else {
        verdict_set(&v, VERDICT_GOOD, "%s is free", text);
        if (!net_addr_is_loopback(at)) {
            v.result = VERDICT_ADVICE;
            verdict_why(&v, "Whoever reaches it reads the names of your campaigns and how they fare.");
            verdict_mend(&v, "metrics.listen: 127.0.0.1:%u, or a firewall", at->port);
        }
    }
    doctor_find(d, text, &v);
}
