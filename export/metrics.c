/* Prometheus' text format. */
#include "metrics.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void metrics_head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_label(struct buf *out, const char *value) {
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_printf(out, "\\%c", *value);
        else if (*value == '\n')
            buf_put_text(out, "\\n");
        else
            buf_put_c(out, *value);
    }
}

/* Whole numbers as they are: %g would round large counters. */
static void put_value(struct buf *out, double value) {
    if (value >= 0 && value < 9e15 && value == (double)(uint64_t)value)
        buf_put_u64(out, (uint64_t)value);
    else
        buf_printf(out, "%.6f", value);
}

void metrics_sample(struct buf *out, const char *name, double value, ...) {
    va_list args;
    const char *label;
    bool first = true;
    buf_put_text(out, name);
    va_start(args, value);
    while ((label = va_arg(args, const char *))) {
        buf_printf(out, "%s%s=\"", first ? "{" : ",", label);
        put_label(out, va_arg(args, const char *));
        buf_put_c(out, '"');
        first = false;
    }
    va_end(args);
    buf_put_text(out, first ? " " : "} ");
    put_value(out, value);
    buf_put_c(out, '\n');
}

void metrics_one(struct buf *out, const char *name, const char *type, const char *help, double value) {
    metrics_head(out, name, type, help);
    metrics_sample(out, name, value, NULL);
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double resident_bytes(void) {
    char line[128] = "";
    uint64_t resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && !fgets(line, sizeof line, f)) line[0] = 0;
    if (f) fclose(f);
    struct slice rest = slice_of(line), pages; /* the whole, then what is resident */
    if (!slice_cut(&rest, ' ', &pages) || !slice_cut(&rest, ' ', &pages) || !slice_to_u64(pages, &resident))
        return 0;
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_files(void) {
    DIR *dir = opendir("/proc/self/fd");
    double n = -3; /* ".", ".." and this folder itself */
    if (!dir) return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Since 1970, as the kernel counted it from its own start; 0: not known. */
static double start_time(void) {
    char line[1024] = "", boot[128];
    uint64_t ticks = 0, booted = 0;
    FILE *f = fopen("/proc/self/stat", "re");
    if (f && !fgets(line, sizeof line, f)) line[0] = 0;
    if (f) fclose(f);
    const char *behind = strrchr(line, ')'); /* the program's name may hold blanks */
    struct slice rest = slice_of(behind ? behind + 1 : ""), word = {0};
    for (int i = 0; i < 21; i++) /* field 22, counted from the third; a blank stands in front */
        if (!slice_cut(&rest, ' ', &word)) return 0;
    if (!slice_to_u64(word, &ticks)) return 0;
    f = fopen("/proc/stat", "re");
    while (f && fgets(boot, sizeof boot, f))
        if (strncmp(boot, "btime ", 6) == 0 && slice_to_u64(slice_trim(slice_of(boot + 6)), &booted)) break;
    if (f) fclose(f);
    return booted ? (double)booted + (double)ticks / (double)sysconf(_SC_CLK_TCK) : 0;
}

void metrics_process(struct buf *out) {
    struct rusage usage;
    struct rlimit files;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_one(out, "process_cpu_seconds_total", "counter", "User and system CPU time.",
                    seconds(usage.ru_utime) + seconds(usage.ru_stime));
    metrics_one(out, "process_start_time_seconds", "gauge",
                "When the process started, in seconds since 1970.", start_time());
    metrics_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    metrics_one(out, "process_open_fds", "gauge", "Open file descriptors.", open_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metrics_one(out, "process_max_fds", "gauge", "Most open file descriptors.", (double)files.rlim_cur);
}
