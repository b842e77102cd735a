/* `tsubame-sim check`: opens the two files, has them compared, and prints what was found. */
#include "sim_commands.h"
#include "sim_compare.h"
#include "sim_sent.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char sim_check_help[] =
    "usage: tsubame-sim check --truth FILE --ledger FILE [OPTIONS]\n"
    "       tsubame-sim check --truth FILE --sent LIST.csv [OPTIONS]\n"
    "\n"
    "Compares what the simulator accepted with what a sender should have done, or says that it did.\n"
    "\n"
    "With --sent, for any mailer: LIST.csv is whom it was to send to, a mail for each row. Everybody got "
    "one, or\n"
    "was refused for good; nobody got more; nobody else got any; each mail has a Message-ID.\n"
    "\n"
    "With --ledger, for one that keeps a book: everything delivered was accepted, everything accepted is\n"
    "delivered (or was called uncertain), nothing came twice that was not called uncertain, Message-IDs "
    "agree,\n"
    "unknown users are failed, nothing is pending. The ledger is tab-separated, its first line names the\n"
    "columns: address, state, message_id, and if it likes code and flags (was-uncertain).\n"
    "\n"
    "Exit code: 0 when all agrees, 1 when not (ten examples of each kind are shown), 2 when it can't be "
    "compared.\n"
    "\n"
    "  --column NAME           of the list; else email, address, rcpt, recipient or to\n"
    "  --unique-ids            one Message-ID for several recipients is wrong, too\n"
    "  --running               the sender is still at work: pending (or missing) is no fault\n"
    "  --allow-missing-states  rows of the ledger with an empty state are counted and not judged\n"
    "  --json                  prints the findings as JSON\n"
    "\n"
    "example:\n"
    "  tsubame-sim check --truth truth.tsv --sent list.csv\n"
    "  tsubame-sim check --truth truth.tsv --ledger ledger.tsv\n";

struct options {
    const char *truth, *ledger, *sent, *column;
    struct sim_compare_options how;
    bool json, unique_ids;
};

static int map_file(const char *path, struct slice *text, struct err *err) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, errno, "%s", path);
    *text = (struct slice){0};
    int rc = fstat(fd, &st) < 0 ? err_errno(err, errno, "%s", path) : 0;
    if (rc == 0 && st.st_size > 0) {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED)
            rc = err_errno(err, errno, "%s", path);
        else
            *text = (struct slice){at, (size_t)st.st_size};
    }
    close(fd);
    return rc;
}

static void unmap(struct slice text) {
    if (text.len) munmap((void *)(uintptr_t)text.at, text.len);
}

static void print_table(const struct sim_findings *f) {
    printf("%-22s %12llu\n", "ledger rows", (unsigned long long)f->ledger_rows);
    for (int i = 0; i < SIM_STATES; i++)
        if (i < SIM_STATE_MISSING || f->ledger[i])
            printf("  %-20s %12llu\n", sim_state_names[i], (unsigned long long)f->ledger[i]);
    printf("  %-20s %12llu\n", "(was uncertain)", (unsigned long long)f->was_uncertain);
    printf("%-22s %12llu\n", "truth rows", (unsigned long long)f->truth_rows);
    for (int i = 0; i < SIM_EVENTS; i++)
        printf("  %-20s %12llu\n", sim_event_names[i], (unsigned long long)f->truth[i]);
    printf("%-22s %12llu\n", "second copies", (unsigned long long)f->second_copies);
    for (int v = 0; v < SIM_VIOLATIONS; v++) {
        if (!f->violation[v]) continue;
        printf("\nWRONG: %llu %s (%s)\n", (unsigned long long)f->violation[v], sim_violation_texts[v],
               sim_violation_names[v]);
        for (uint64_t i = 0; i < SIM_EXAMPLES && i < f->violation[v]; i++)
            printf("  %s\n", f->example[v][i]);
    }
    puts(sim_findings_ok(f) ? "\nThe ledger agrees with the truth."
                            : "\nThe ledger does NOT agree with the truth.");
}

static void print_json_text(const char *text) {
    putchar('"');
    for (const char *c = text; *c; c++)
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if ((unsigned char)*c < ' ')
            putchar('?');
        else
            putchar(*c);
    putchar('"');
}

static void print_counts(const char *name, const char *const *names, const uint64_t *count, int n) {
    printf("\"%s\": {", name);
    for (int i = 0; i < n; i++)
        printf("%s\"%s\": %llu", i ? ", " : "", names[i], (unsigned long long)count[i]);
    fputs("}, ", stdout);
}

static void print_json(const struct sim_findings *f) {
    bool first = true;
    printf("{\"ok\": %s, \"ledger_rows\": %llu, \"truth_rows\": %llu, \"was_uncertain\": %llu, "
           "\"second_copies\": %llu, ",
           sim_findings_ok(f) ? "true" : "false", (unsigned long long)f->ledger_rows,
           (unsigned long long)f->truth_rows, (unsigned long long)f->was_uncertain,
           (unsigned long long)f->second_copies);
    print_counts("ledger", sim_state_names, f->ledger, SIM_STATES);
    print_counts("truth", sim_event_names, f->truth, SIM_EVENTS);
    print_counts("violations", sim_violation_names, f->violation, SIM_VIOLATIONS);
    fputs("\"examples\": [", stdout);
    for (int v = 0; v < SIM_VIOLATIONS; v++)
        for (uint64_t i = 0; i < SIM_EXAMPLES && i < f->violation[v]; i++) {
            printf("%s{\"violation\": \"%s\", \"what\": ", first ? "" : ", ", sim_violation_names[v]);
            print_json_text(f->example[v][i]);
            putchar('}');
            first = false;
        }
    puts("]}");
}

static int compare_files(const struct options *o) {
    struct slice truth = {0}, ledger = {0};
    struct err err;
    struct sim_findings *f = calloc(1, sizeof *f);
    if (!f) return 2;
    int rc = map_file(o->truth, &truth, &err);
    if (rc == 0) rc = map_file(o->ledger, &ledger, &err);
    if (rc == 0) rc = sim_compare(truth, o->truth, ledger, o->ledger, o->how, f, &err);
    if (rc) {
        fprintf(stderr, "tsubame-sim: %s\n", err.text);
        rc = 2;
    } else {
        if (o->json)
            print_json(f);
        else
            print_table(f);
        rc = sim_findings_ok(f) ? 0 : 1;
    }
    unmap(truth);
    unmap(ledger);
    free(f);
    return rc;
}

static void print_sent_table(const struct sim_sent_findings *f) {
    printf("%-22s %12llu\n", "rows of the list", (unsigned long long)f->listed);
    printf("  %-20s %12llu\n", "arrived", (unsigned long long)f->arrived);
    printf("  %-20s %12llu\n", "refused for good", (unsigned long long)f->refused);
    printf("  %-20s %12llu\n", "put off, not again", (unsigned long long)f->put_off);
    printf("  %-20s %12llu\n", "never seen", (unsigned long long)f->never_seen);
    printf("%-22s %12llu\n", "truth rows", (unsigned long long)f->truth_rows);
    for (int i = 0; i < SIM_EVENTS; i++)
        printf("  %-20s %12llu\n", sim_event_names[i], (unsigned long long)f->truth[i]);
    for (int p = 0; p < SIM_SENT_PROBLEMS; p++) {
        if (!f->problem[p]) continue;
        bool wrong = p != SIM_SENT_SHARED_ID || f->unique_ids;
        printf("\n%s: %llu %s (%s)\n", wrong ? "WRONG" : "note", (unsigned long long)f->problem[p],
               sim_sent_texts[p], sim_sent_names[p]);
        for (uint64_t i = 0; wrong && i < SIM_SENT_EXAMPLES && i < f->problem[p]; i++)
            printf("  %s\n", f->example[p][i]);
    }
    puts(sim_sent_ok(f) ? "\nWhat was sent is what was to be sent."
                        : "\nWhat was sent is NOT what was to be sent.");
}

static void print_sent_json(const struct sim_sent_findings *f) {
    const char *comma = "";
    printf("{\"ok\": %s, \"listed\": %llu, \"arrived\": %llu, \"refused\": %llu, \"put_off\": %llu, "
           "\"never_seen\": %llu, \"truth_rows\": %llu, ",
           sim_sent_ok(f) ? "true" : "false", (unsigned long long)f->listed, (unsigned long long)f->arrived,
           (unsigned long long)f->refused, (unsigned long long)f->put_off, (unsigned long long)f->never_seen,
           (unsigned long long)f->truth_rows);
    print_counts("truth", sim_event_names, f->truth, SIM_EVENTS);
    print_counts("problems", sim_sent_names, f->problem, SIM_SENT_PROBLEMS);
    fputs("\"examples\": [", stdout);
    for (int p = 0; p < SIM_SENT_PROBLEMS; p++)
        for (uint64_t i = 0; i < SIM_SENT_EXAMPLES && i < f->problem[p]; i++) {
            printf("%s{\"problem\": \"%s\", \"address\": ", comma, sim_sent_names[p]);
            print_json_text(f->example[p][i]);
            putchar('}');
            comma = ", ";
        }
    puts("]}");
}

static int compare_sent(const struct options *o) {
    struct slice truth = {0}, list = {0};
    struct err err;
    struct sim_sent_findings *f = calloc(1, sizeof *f);
    if (!f) return 2;
    int rc = map_file(o->truth, &truth, &err);
    if (rc == 0) rc = map_file(o->sent, &list, &err);
    if (rc == 0) rc = sim_sent_compare(truth, o->truth, list, o->sent, o->column, o->unique_ids, f, &err);
    if (rc) {
        fprintf(stderr, "tsubame-sim: %s\n", err.text);
        rc = 2;
    } else {
        if (o->how.running) f->problem[SIM_SENT_MISSING] = 0;
        if (o->json)
            print_sent_json(f);
        else
            print_sent_table(f);
        rc = sim_sent_ok(f) ? 0 : 1;
    }
    unmap(truth);
    unmap(list);
    free(f);
    return rc;
}

int sim_check(int argc, char **argv) {
    static const struct option names[] = {{"truth", required_argument, NULL, 't'},
                                          {"ledger", required_argument, NULL, 'l'},
                                          {"sent", required_argument, NULL, 's'},
                                          {"column", required_argument, NULL, 'c'},
                                          {"unique-ids", no_argument, NULL, 'u'},
                                          {"running", no_argument, NULL, 'r'},
                                          {"allow-missing-states", no_argument, NULL, 'm'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options o = {0};
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (c) {
        case 't': o.truth = optarg; break;
        case 'l': o.ledger = optarg; break;
        case 's': o.sent = optarg; break;
        case 'c': o.column = optarg; break;
        case 'u': o.unique_ids = true; break;
        case 'r': o.how.running = true; break;
        case 'm': o.how.allow_missing_states = true; break;
        case 'j': o.json = true; break;
        case 'h': fputs(sim_check_help, stdout); return 0;
        default: return 2;
        }
    }
    bool one = !o.ledger != !o.sent && optind == argc;
    if (o.truth && one) return o.sent ? compare_sent(&o) : compare_files(&o);
    fputs(sim_check_help, stderr);
    return 2;
}
