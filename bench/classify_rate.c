/* How many replies a second are classified by one core with all rules loaded.
 *
 *   classify-rate FILE SECONDS
 *
 * FILE holds lines as `tsubame classify-reply` takes them. They are gone through again and again in an order
 * that jumps about, each from its bytes to its verdict; prints replies a second of CPU. */
#include "classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINES_MOST = 4096, FILE_MOST = 4 << 20 };

struct line {
    enum classify_stage stage;
    unsigned provider;
    struct slice reply;
};

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t read_lines(struct slice text, const struct classify_rules *rules, struct line *lines) {
    struct slice one, stage;
    size_t count = 0;
    while (count < LINES_MOST && slice_cut(&text, '\n', &one)) {
        struct line *line = &lines[count];
        if (!slice_cut(&one, '\t', &stage) || !slice_cut(&one, '\t', &line->reply)) continue;
        if (!classify_stage_by_name(stage, &line->stage)) continue;
        line->provider = one.len ? classify_provider(rules, slice_trim(one)) : 0;
        count++;
    }
    return count;
}

static double measure(const struct classify_rules *rules, const struct line *lines, size_t count,
                      double seconds) {
    double start = cpu_s(), spent = 0;
    unsigned long long done = 0, sum = 0;
    size_t at = 0;
    while (spent < seconds) {
        for (unsigned i = 0; i < 10000; i++, done++) {
            struct classify_input in = {.stage = lines[at].stage, .provider = lines[at].provider};
            classify_read(lines[at].reply, &in);
            sum += classify(rules, &in).class;
            at = (at + 97) % count;
        }
        spent = cpu_s() - start;
    }
    if (sum == 0) abort(); /* so that nothing is left out */
    return (double)done / spent;
}

int main(int argc, char **argv) {
    static char text[FILE_MOST];
    static struct line lines[LINES_MOST];
    struct err err;
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
    FILE *f = seconds > 0 ? fopen(argv[1], "rb") : NULL;
    if (!f) return fprintf(stderr, "usage: classify-rate FILE SECONDS\n"), 2;
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    struct classify_rules *rules = classify_rules_load(NULL, &err);
    if (!rules) return fprintf(stderr, "%s\n", err.text), 1;
    size_t count = read_lines(slice_make(text, len), rules, lines);
    if (count < 50) return fprintf(stderr, "%zu lines are too few\n", count), 1;
    printf("%.0f\n", measure(rules, lines, count, seconds));
    classify_rules_free(rules);
    return 0;
}
