/* Measures loading: a CSV file of 6 columns, most names ASCII, spread over large and small domains as in
 * life, is read, checked, sorted by domain and address, cut into chunks and committed, by load_run as in
 * production.
 *
 *     bench_load FOLDER [ROWS]
 *
 * Prints rows, wall and CPU seconds (of all threads of the process), and rows for each second of CPU. */
#include "hash.h"
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { CAMPAIGN = 1, SEED = 99, FLUSH = 1 << 20 };

static void die(const char *what, const struct err *err) {
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(2);
}

static double wall_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void put_row(struct buf *b, uint64_t i, uint64_t rows) {
    static const char *const cities[] = {"Osaka", "Nara", "Denver", "Lagos", "Kobe", "東京", "Lyon", "Graz"};
    uint64_t x = hash_mix(i);
    buf_printf(b, "person%llu.%u@", (unsigned long long)i, (unsigned)(x >> 40) % 10000);
    if (x % 10 < 6)
        buf_printf(b, "big%u.example", (unsigned)(x >> 8) % 12);
    else
        buf_printf(b, "d%llu.example", (unsigned long long)((x >> 8) % (rows / 20 + 1)));
    buf_printf(b, ",Person Number %llu,Kato Shoten,%s,%u.%02u,", (unsigned long long)i, cities[x >> 61],
               (unsigned)(x >> 20) % 1000, (unsigned)(x >> 30) % 100);
    buf_printf(b, i % 8 ? "%llu\n" : "\"%llu, special\"\n", (unsigned long long)i * 7);
}

static int make_list(const char *folder, uint64_t rows) {
    char path[4096];
    struct buf b;
    snprintf(path, sizeof path, "%s/list.csv", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    buf_init(&b, 2 * FLUSH);
    buf_put_text(&b, "email,name,company,city,amount,code\n");
    for (uint64_t i = 0; i < rows && fd >= 0; i++) {
        put_row(&b, i, rows);
        if (b.len < FLUSH && i + 1 < rows) continue;
        if (write(fd, b.at, b.len) != (ssize_t)b.len) exit(2);
        buf_reset(&b);
    }
    buf_done(&b);
    if (fd < 0 || lseek(fd, 0, SEEK_SET)) exit(2);
    return fd;
}

int main(int argc, char **argv) {
    struct err err;
    char path[4096];
    if (argc < 2) return 2;
    uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000000;
    snprintf(path, sizeof path, "%s/store", argv[1]);
    struct store *store = store_open(path, &(struct store_options){.map_size = UINT64_C(16) << 30}, &err);
    if (!store) die("store", &err);
    struct load_options o = {.store = store, .fd = make_list(argv[1], rows)};
    struct load_counts counts;
    double wall = wall_seconds(), cpu = cpu_seconds();
    struct load *l = load_open(&o, &err);
    if (!l || load_run(l, CAMPAIGN, SEED, &counts, &err)) die("load", &err);
    wall = wall_seconds() - wall, cpu = cpu_seconds() - cpu;
    if (counts.rows != rows || counts.kept != rows) {
        fprintf(stderr, "%llu of %llu rows were kept\n", (unsigned long long)counts.kept,
                (unsigned long long)rows);
        return 2;
    }
    printf("rows=%llu wall_s=%.3f cpu_s=%.3f rows_per_cpu_s=%.0f\n", (unsigned long long)rows, wall, cpu,
           (double)rows / cpu);
    load_free(l);
    close(o.fd);
    store_free(store);
    return 0;
}
