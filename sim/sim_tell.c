/* Intervals by a timer of the loop. */
#include "sim_tell.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { TABLE_MAX = 40 };

static void count(struct sim_world *w) {
    sim_world_tick(w, clock_mono(), clock_wall());
    sim_stats_count(&w->stats, w->site, w->sites, w->now);
}

static void again(struct sim_teller *t) {
    sim_loop_set(t->loop, &t->timer,
                 clock_mono() + sim_clock_real(&t->world->clock, (int64_t)(t->every_s * 1e6)));
}

static void on_interval(struct sim_timer *timer) {
    struct sim_teller *t = (struct sim_teller *)timer;
    count(t->world);
    sim_stats_json(&t->world->stats, false, t->world->now, t->world->wall, t->file);
    again(t);
}

int sim_teller_open(struct sim_teller *t, struct sim_loop *l, struct sim_world *w, const char *path,
                    double every_s, struct err *err) {
    *t = (struct sim_teller){.timer.due = on_interval, .world = w, .loop = l, .every_s = every_s};
    if (!path) return 0;
    t->file = fopen(path, "ae");
    if (!t->file) return err_errno(err, errno, "%s", path);
    again(t);
    return 0;
}

void sim_teller_now(struct sim_teller *t, FILE *to) {
    count(t->world);
    if (t->file) sim_stats_json(&t->world->stats, true, t->world->now, t->world->wall, t->file);
    sim_stats_table(&t->world->stats, t->world->now, TABLE_MAX, to);
    fflush(to);
}

int sim_teller_close(struct sim_teller *t, struct err *err) {
    if (!t->file) return 0;
    count(t->world);
    sim_loop_unset(t->loop, &t->timer);
    sim_stats_json(&t->world->stats, false, t->world->now, t->world->wall, t->file);
    sim_stats_json(&t->world->stats, true, t->world->now, t->world->wall, t->file);
    bool bad = ferror(t->file) != 0;
    bad = fclose(t->file) != 0 || bad;
    t->file = NULL;
    return bad ? err_set(err, ERR_SYSTEM, "--stats: the file could not be written") : 0;
}

static void print_total(const char *name, uint64_t n, bool json) {
    if (json)
        printf("\"%s\": %llu, ", name, (unsigned long long)n);
    else
        printf("%-20s %12llu\n", name, (unsigned long long)n);
}

void sim_tell_totals(struct sim_world *w, uint64_t dns_queries, bool json) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
                 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    if (json) putchar('{');
    for (int i = 0; i < SIM_EVENTS; i++)
        print_total(sim_event_names[i], w->truth.count[i], json);
    print_total("connections", w->connections, json);
    print_total("commands", w->commands, json);
    print_total("faults", w->faults, json);
    print_total("dns-queries", dns_queries, json);
    if (json) {
        printf("\"cpu-seconds\": %.3f}\n", cpu);
        return;
    }
    printf("%-20s %12.3f\n\n", "cpu-seconds", cpu);
    count(w);
    sim_stats_table(&w->stats, w->now, TABLE_MAX, stdout);
}
