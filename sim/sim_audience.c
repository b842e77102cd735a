/* `tsubame-sim audience`: people of a scenario as CSV, the same for the same seed. */
#include "sim_commands.h"
#include "sim_names.h"

#include "hash.h"
#include "sim_world.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char sim_audience_help[] =
    "usage: tsubame-sim audience SCENARIO.yaml --count N [OPTIONS] > list.csv\n"
    "\n"
    "Writes a UTF-8 CSV with the columns email, name, company, city, amount: N people spread over the "
    "providers of the\n"
    "scenario by their weights. The same seed gives the same list; no address is there twice.\n"
    "\n"
    "  --count N        how many people\n"
    "  --seed S         default: the scenario's\n"
    "  --bad N          puts N rows that a reader must reject among them (they come on top of the count)\n"
    "  --duplicates N   repeats N rows, the domain in capitals (on top of the count)\n"
    "\n"
    "example:\n"
    "  tsubame-sim audience sim/scenarios/demo.yaml --count 20000 --bad 12 > list.csv\n";

static const char *const firsts[][2] = {
    {"aiko", "Aiko"},   {"jose", "José"},    {"sven", "Sven"},   {"chloe", "Chloé"}, {"bjorn", "Björn"},
    {"maria", "María"}, {"li", "丽"},        {"taro", "太郎"},   {"olga", "Ольга"},  {"ana", "Ana"},
    {"john", "John"},   {"fatima", "فاطمة"}, {"piotr", "Piotr"}, {"zoe", "Zoë"},     {"ravi", "रवि"},
    {"hanako", "花子"}, {"luca", "Luca"},    {"soren", "Søren"}, {"emma", "Emma"},   {"minh", "Minh"},
    {"elif", "Elif"},   {"noah", "Noah"},    {"ines", "Inês"},   {"kofi", "Kofi"},   {"yuki", "由紀"}};
static const char *const lasts[][2] = {
    {"tanaka", "Tanaka"}, {"garcia", "García"}, {"oneill", "O'Neill"},  {"suzuki", "鈴木"},
    {"muller", "Müller"}, {"smith", "Smith"},   {"ivanova", "Иванова"}, {"lee", "Lee"},
    {"dupont", "Dupont"}, {"nguyen", "Nguyễn"}, {"sato", "佐藤"},       {"rossi", "Rossi"},
    {"silva", "Silva"},   {"kumar", "Kumar"},   {"yilmaz", "Yılmaz"},   {"novak", "Novák"},
    {"berg", "Berg"},     {"kim", "김"},        {"haddad", "Haddad"},   {"mensah", "Mensah"}};
static const char *const companies[] = {"Acme, Inc.",       "Kato Shoten",    "\"\"Best\"\" Bakery",
                                        "Nord & Sons",      "株式会社つばめ", "Café Zürich",
                                        "Plain Ltd",        "Ünal A.Ş.",      "",
                                        "Blue; Green | Red"};
static const char *const cities[] = {"Osaka", "São Paulo", "Zürich", "Kraków",
                                     "Lagos", "東京",      "Denver", "İzmir"};
static const char *const bad_rows[] = {"no-at-sign,Bad,Row,Here,1",
                                       "@nobody.test,Bad,Row,Here,1",
                                       "two@@signs.test,Bad,Row,Here,1",
                                       "space in@local.test,Bad,Row,Here,1",
                                       "ends.with.dot.@local.test,Bad,Row,Here,1",
                                       "nodomain@,Bad,Row,Here,1",
                                       ",Empty,Row,Here,1",
                                       "too@few.test",
                                       "bad@utf8.test,\xff\xfe,Row,Here,1",
                                       "a@-hyphen.test,Bad,Row,Here,1"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct audience {
    struct sim_scenario scenario;
    double *upto; /* weights summed */
    uint64_t count, seed, bad, duplicates;
    bool has_seed;
    struct buf out;
};

static const struct sim_provider *pick_provider(const struct audience *a, uint64_t key) {
    size_t low = 0, high = a->scenario.providers - 1;
    double at = (double)(key >> 11) * 0x1p-53 * a->upto[high];
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (a->upto[mid] <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return &a->scenario.provider[low];
}

static void put_base36(struct buf *b, uint64_t n) {
    char digits[16];
    size_t at = sizeof digits;
    do
        digits[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[n % 36];
    while ((n /= 36) && at);
    buf_put(b, digits + at, sizeof digits - at);
}

static void put_row(struct audience *a, uint64_t i, bool shout) {
    struct buf *b = &a->out;
    char domain[256];
    uint64_t key = hash_mix(a->seed ^ hash_mix(i));
    const struct sim_provider *p = pick_provider(a, key);
    uint64_t more = hash_mix(key), which = more % p->domains;
    const char *const *first = firsts[(more >> 20) % COUNT(firsts)], *const *last =
                                                                         lasts[(more >> 32) % COUNT(lasts)];
    buf_printf(b, "%s.%s.", first[0], last[0]);
    put_base36(b, i);
    buf_put_c(b, '@');
    size_t len = sim_domain_name(p, which, domain);
    for (size_t n = 0; shout && n < len; n++)
        if (ascii_alpha(domain[n])) domain[n] = (char)(domain[n] & ~0x20);
    buf_put(b, domain, len);
    buf_printf(b, ",%s %s,\"%s\",%s,%llu.%02llu\r\n", first[1], last[1],
               companies[(more >> 44) % COUNT(companies)], cities[(more >> 52) % COUNT(cities)],
               (unsigned long long)(more >> 24) % 900 + 10, (unsigned long long)(more >> 14) % 100);
}

static int flush(struct audience *a, struct err *err) {
    if (a->out.failed) return err_set(err, ERR_SYSTEM, "out of memory");
    if (fwrite(a->out.at, 1, a->out.len, stdout) != a->out.len)
        return err_set(err, ERR_SYSTEM, "the list can't be written");
    buf_reset(&a->out);
    return 0;
}

/* Of `extra` rows spread evenly among `count`: how many come before row i. */
static uint64_t spread(uint64_t extra, uint64_t count, uint64_t i) {
    return (uint64_t)((double)extra * (double)i / (double)(count ? count : 1));
}

static int write_list(struct audience *a, struct err *err) {
    buf_put_text(&a->out, "email,name,company,city,amount\r\n");
    for (uint64_t i = 0; i < a->count; i++) {
        put_row(a, i, false);
        for (uint64_t n = spread(a->bad, a->count, i); n < spread(a->bad, a->count, i + 1); n++)
            buf_printf(&a->out, "%s\r\n", bad_rows[n % COUNT(bad_rows)]);
        for (uint64_t n = spread(a->duplicates, a->count, i); n < spread(a->duplicates, a->count, i + 1); n++)
            put_row(a, i, true);
        if (a->out.len > 1 << 20 && flush(a, err)) return -1;
    }
    if (flush(a, err)) return -1;
    return fflush(stdout) == 0 ? 0 : err_set(err, ERR_SYSTEM, "the list can't be written");
}

static int prepare(struct audience *a, const char *path, struct err *err) {
    if (sim_scenario_read(&a->scenario, path, err)) return -1;
    if (!a->has_seed) a->seed = a->scenario.seed;
    a->upto = calloc(a->scenario.providers, sizeof *a->upto);
    if (!a->upto) return err_set(err, ERR_SYSTEM, "out of memory");
    double sum = 0;
    for (size_t i = 0; i < a->scenario.providers; i++)
        a->upto[i] = sum += a->scenario.provider[i].weight;
    return sum > 0 ? 0 : err_set(err, ERR_INPUT, "%s: all weights are 0", path);
}

static int take_option(struct audience *a, int c) {
    switch (c) {
    case 'c': return sim_option_number("--count", optarg, UINT64_C(1) << 40, &a->count);
    case 's': a->has_seed = true; return sim_option_number("--seed", optarg, UINT32_MAX, &a->seed);
    case 'b': return sim_option_number("--bad", optarg, UINT32_MAX, &a->bad);
    case 'd': return sim_option_number("--duplicates", optarg, UINT32_MAX, &a->duplicates);
    default: return -1;
    }
}

int sim_audience(int argc, char **argv) {
    static const struct option names[] = {
        {"count", required_argument, NULL, 'c'}, {"seed", required_argument, NULL, 's'},
        {"bad", required_argument, NULL, 'b'},   {"duplicates", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    struct audience a = {0};
    struct err err;
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (c == 'h') {
            fputs(sim_audience_help, stdout);
            return 0;
        }
        if (take_option(&a, c)) return 2;
    }
    if (optind + 1 != argc || a.count == 0) {
        fputs(sim_audience_help, stderr);
        return 2;
    }
    buf_init(&a.out, 8 << 20);
    int rc = prepare(&a, argv[optind], &err);
    if (rc == 0) rc = write_list(&a, &err);
    if (rc) fprintf(stderr, "tsubame-sim: %s\n", err.text);
    buf_done(&a.out);
    free(a.upto);
    sim_scenario_done(&a.scenario);
    return rc ? 1 : 0;
}
