/* Facts of the store, the running server, and the work that waits. */
#include "doctor.h"

#include "asking.h"
#include "show.h"
#include "units.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

void doctor_store_open(struct doctor *d) {
    struct talk server;
    /* The server first: once it answers, its store is there. */
    if (talk_connect(&server, d->options->control.socket, &d->server_error) == 0) {
        d->server = asking(&server, "status", NULL, (struct slice){0}, &d->server_error);
        talk_done(&server);
    }
    d->store = instance_store(d->options, true, &d->store_error);
}

/* The store's folder, or where it would be made. */
static const char *existing(const char *path, char room[PATH_MAX]) {
    snprintf(room, PATH_MAX, "%s", path);
    while (access(room, F_OK)) {
        char *up = dirname(room);
        if (up != room) memmove(room, up, strlen(up) + 1);
    }
    return room;
}

static void check_disk(struct doctor *d) {
    char room[PATH_MAX], reserve[PATH_MAX + 16];
    const char *path = existing(d->options->store.path, room);
    struct statvfs fs;
    struct statfs kind;
    struct stat st;
    struct verdict v;
    if (statvfs(path, &fs) || statfs(path, &kind)) {
        verdict_set(&v, VERDICT_UNCHECKED, "%s: %s", path, strerror(errno));
        doctor_find_as(d, "disk", "", &v);
        return;
    }
    snprintf(reserve, sizeof reserve, "%s/reserve", path);
    uint64_t want = (uint64_t)d->options->store.reserve;
    struct disk_facts f = {.path = path,
                           .free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
                           .reserve = want,
                           .free_inodes = fs.f_favail,
                           .inodes = fs.f_files,
                           .reserve_held = stat(reserve, &st) == 0 && (uint64_t)st.st_size == want};
    verdict_disk(&f, &v);
    doctor_find_as(d, "disk", "", &v);
    verdict_inodes(&f, &v);
    doctor_find_as(d, "inodes", "", &v);
    verdict_filesystem((uint64_t)kind.f_type, path, &v);
    doctor_find_as(d, "filesystem", "", &v);
}

static void check_ledger(struct doctor *d) {
    struct verdict v;
    char path[PATH_MAX];
    struct stat st;
    if (!d->store) {
        bool absent = d->store_error.kind == ERR_ABSENT;
        verdict_set(&v, absent ? VERDICT_GOOD : VERDICT_WRONG, "%.390s", d->store_error.text);
        if (!absent) {
            verdict_why(&v, "The server does not start on it.");
            verdict_mend(&v, "Do what the text says; else put the store back from a backup (tsubame backup)");
        }
        doctor_find_as(d, "ledger", "", &v);
        return;
    }
    snprintf(path, sizeof path, "%.4000s/ledger.mdb", d->options->store.path);
    struct map_facts f = {.map_size = (uint64_t)d->options->store.map_size};
    if (stat(path, &st) == 0) f.used = (uint64_t)st.st_size;
    verdict_map(&f, &v);
    doctor_find_as(d, "ledger", "", &v);
}

static void check_history(struct doctor *d) {
    struct verdict v;
    struct err err;
    if (!d->store) return;
    struct view *view = view_open(d->store, &err);
    struct history_gap gap = {0};
    int failed = !view || view_begin(view, 0, &err);
    if (!failed) gap = view_gap(view);
    if (failed) {
        verdict_set(&v, VERDICT_WRONG, "%.390s", err.text);
        verdict_why(&v, "Reports can't be made, and the server does not start.");
        verdict_mend(
            &v,
            "Put history.db back from a backup; without it what the ledger has dropped is lost to reports");
    } else if (gap.last) {
        verdict_set(&v, VERDICT_ADVICE, "blocks %llu to %llu of the ledger are missing in it",
                    (unsigned long long)gap.first, (unsigned long long)gap.last);
        verdict_why(&v,
                    "history.db was deleted or replaced by an older one: reports lack what happened then.");
        verdict_mend(&v, "Put back the history.db of this ledger, if you have it");
    } else {
        verdict_set(&v, VERDICT_GOOD, "it can be read");
    }
    view_free(view);
    doctor_find_as(d, "history", "", &v);
    uint64_t bytes;
    if (segment_bytes(d->store, &bytes, &err)) return;
    verdict_set(&v, VERDICT_GOOD, "segments take %llu MB", (unsigned long long)(bytes >> 20));
    doctor_find_as(d, "segments", "", &v);
}

void doctor_store(struct doctor *d) {
    check_disk(d);
    check_ledger(d);
    check_history(d);
}

/* ---- the server ---- */

static void check_running(struct doctor *d) {
    const char *path = d->options->control.socket;
    struct stat st;
    struct verdict v;
    if (d->server)
        verdict_set(&v, VERDICT_GOOD, "running (process %lld)", (long long)jdoc_number(d->server, "pid", 0));
    else if (d->server_error.kind != ERR_ABSENT) {
        verdict_set(&v, VERDICT_WRONG, "%.390s", d->server_error.text);
        verdict_why(&v, "It can't be asked.");
        verdict_mend(&v,
                     "As root or its user: sudo -u %s tsubame doctor; control.mode and the socket's group "
                     "say who else",
                     d->user_name);
    } else if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        verdict_set(&v, VERDICT_GOOD,
                    "not running; %s was left behind by one that was ended hard (the next start "
                    "replaces it)",
                    path);
    else if (lstat(path, &st) == 0) {
        verdict_set(&v, VERDICT_WRONG, "%s is there, and is no socket", path);
        verdict_why(&v, "The server can't make its control socket there.");
        verdict_mend(&v, "Move it away, or name another place: control.socket");
    } else
        verdict_set(&v, VERDICT_GOOD, "no server runs");
    doctor_find_as(d, "running", "", &v);
}

static void check_trouble(struct doctor *d) {
    struct slice trouble = jdoc_text(jdoc_get(d->server, "counters"), "trouble");
    const struct jdoc *notes = jdoc_get(d->server, "notes");
    struct verdict v;
    if (!d->server) return;
    verdict_set(&v, VERDICT_GOOD, "it reports none");
    if (trouble.len) {
        verdict_set(&v, VERDICT_WRONG, "%.*s", trouble.len > 390 ? 390 : (int)trouble.len, trouble.at);
        verdict_why(&v, "Nothing new is sent meanwhile.");
        verdict_mend(&v, "See the checks of the store; the log has more");
    }
    doctor_find_as(d, "trouble", "", &v);
    for (size_t i = 0; i < jdoc_count(notes); i++) {
        struct slice note = jdoc_item_as_text(notes, i);
        verdict_set(&v, VERDICT_ADVICE, "%.*s", note.len > 390 ? 390 : (int)note.len, note.at);
        verdict_why(&v, "Reports may be incomplete.");
        verdict_mend(&v, "See docs/ledger.md and the log");
        doctor_find_as(d, "trouble", "", &v);
    }
}

void doctor_server(struct doctor *d) {
    check_running(d);
    check_trouble(d);
}

/* ---- what waits ---- */

static void put_campaign(struct doctor *d, const struct campaign_row *row, wall_us now) {
    struct verdict v;
    char about[160];
    const struct tally *t = &row->tally;
    snprintf(about, sizeof about, "%u (%.*s)", row->id, row->name.len > 100 ? 100 : (int)row->name.len,
             row->name.at);
    if (!row->ended && row->state == CAMPAIGN_HELD) {
        verdict_set(&v, VERDICT_ADVICE, "held, with %llu recipients pending",
                    (unsigned long long)tally_pending(t));
        verdict_why(
            &v,
            "It goes on only when it is told to, and expires like any other. One that can't be read is held "
            "with a line in the log.");
        verdict_mend(&v, "tsubame resume %u (or tsubame cancel %u)", row->id, row->id);
        doctor_find_as(d, "campaign", about, &v);
    }
    if (!row->ended && row->state == CAMPAIGN_READY && row->ready && now - row->ready > 86400 * US_PER_SEC &&
        t->deferred) {
        verdict_set(&v, VERDICT_ADVICE, "%llu of %llu recipients still wait a day after its beginning",
                    (unsigned long long)t->deferred, (unsigned long long)t->planned);
        verdict_why(&v, "Receivers refuse them for now; at the end of deliver.expire they are expired.");
        verdict_mend(&v, "tsubame report %u --all shows in whose words", row->id);
        doctor_find_as(d, "campaign", about, &v);
    }
    if (t->uncertain) {
        verdict_set(&v, VERDICT_ADVICE, "%llu recipients are uncertain", (unsigned long long)t->uncertain);
        verdict_why(
            &v,
            "Nobody knows whether they have the mail; they are not sent to again (deliver.uncertain: hold).");
        verdict_mend(&v, "tsubame report %u --recipients lists them", row->id);
        doctor_find_as(d, "campaign", about, &v);
    }
}

void doctor_work(struct doctor *d) {
    struct err err;
    struct verdict v;
    size_t count = 0, under_way = 0, before = d->count;
    struct view *view = d->store ? view_open(d->store, &err) : NULL;
    const struct campaign_row *all =
        view && view_begin(view, 0, &err) == 0 ? view_campaigns(view, &count) : NULL;
    for (size_t i = 0; all && i < count; i++) {
        under_way += !all[i].ended;
        put_campaign(d, &all[i], clock_wall());
    }
    view_free(view);
    if (!all)
        verdict_set(&v, VERDICT_UNCHECKED, "the store has no campaigns that can be read");
    else
        verdict_set(&v, VERDICT_GOOD, "%zu campaigns, %zu under way", count, under_way);
    if (d->count == before) doctor_find_as(d, "campaigns", "", &v);
    uint64_t listed = 0;
    struct store_reader *r = d->store ? store_reader_open(d->store, &err) : NULL;
    if (r && store_read_begin(r, &err) == 0) {
        bool known = store_count(r, TABLE_SUPPRESSION, &listed, &err) == 0;
        store_read_end(r);
        verdict_set(&v, VERDICT_GOOD, "%llu addresses are on it or counted", (unsigned long long)listed);
        if (known) doctor_find_as(d, "suppression", "", &v);
    }
    store_reader_free(r);
    verdict_set(&v, VERDICT_GOOD, "standard error, from level %s on",
                (const char *const[]){"error", "warn", "info", "debug", "off"}[d->options->log.level]);
    if (d->options->log.level == 4 || d->options->log.level == 0) {
        v.result = VERDICT_ADVICE;
        verdict_why(&v, "What goes wrong would not be found in it.");
        verdict_mend(&v, "In the configuration: log.level: info");
    }
    doctor_find_as(d, "log", "", &v);
}
