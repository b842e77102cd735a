/* What may come next on a command line, for commands of the kinds that there are. */
#include "completing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct arg send_args[] = {{"template", 't', "FILE", "what"},
                                       {"to", 0, "FILE", "whom"},
                                       {"resume", 0, "CAMPAIGN", "which"},
                                       {"hold", 0, NULL, "wait"}};
static const struct arg common_args[] = {{"set", 0, "KEY=VALUE", "one key"}, {"help", 'h', NULL, "this"}};
static const struct command
    sending = {.name = "send", .summary = "sends", .args = send_args, .arg_count = 4},
    serve = {.name = "serve", .summary = "serves"},
    report = {.name = "report", .operands = "CAMPAIGN", .summary = "tells", .most = 1},
    backup = {.name = "backup", .operands = "FOLDER", .summary = "copies", .most = 1},
    config = {.name = "config", .operands = "show | check [FILE]", .summary = "keys", .most = 2},
    secret = {.name = "secret", .summary = "no", .hidden = true};
static const struct command *const all[] = {&sending, &serve, &report, &backup, &config, &secret};

const struct command *const *command_all(size_t *count) {
    *count = sizeof all / sizeof all[0];
    return all;
}
const struct command *command_find(struct slice name) {
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (slice_eq(slice_of(all[i]->name), name)) return all[i];
    return NULL;
}
const struct arg *command_common(const struct command *c, size_t *count) {
    (void)c;
    *count = 2;
    return common_args;
}

/* line: words parted by blanks; one at the end means an empty last word. */
static void expect(const char *line, enum completing_kind kind, const char *found) {
    const char *words[32];
    char text[256];
    size_t n = 0;
    struct slice rest = slice_of(line), word, typed;
    struct buf out;
    char *to = text;
    while (slice_cut(&rest, ' ', &word)) {
        memcpy(to, word.at, word.len);
        to[word.len] = 0;
        words[n++] = to;
        to += word.len + 1;
    }
    buf_init(&out, 1 << 20);
    enum completing_kind got = completing(words, n, &out, &typed);
    buf_put_c(&out, 0);
    assert_int_equal(got, kind);
    if (found) assert_string_equal(out.at, found);
    buf_done(&out);
}

static void lines_are_completed(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum completing_kind kind;
        const char *found;
    } cases[] = {
        {"se", COMPLETING_WORDS, "send\tsends\nserve\tserves\n"},
        {"sec", COMPLETING_WORDS, ""},
        {"nonsense ", COMPLETING_WORDS, ""},
        {"help re", COMPLETING_WORDS, "report\ttells\n"},
        {"send --t", COMPLETING_WORDS, "--template\twhat\n--to\twhom\n"},
        {"send --he", COMPLETING_WORDS, "--help\tthis\n"},
        {"send --to ", COMPLETING_FILES, ""},
        {"send -t ", COMPLETING_FILES, ""},
        {"send --to=x", COMPLETING_FILES, ""},
        {"send --to = x", COMPLETING_FILES, ""},
        {"send --to =", COMPLETING_FILES, ""},
        {"send --to x ", COMPLETING_WORDS, ""},
        {"send --hold --resume ", COMPLETING_CAMPAIGNS, ""},
        {"send --set tls.m", COMPLETING_NOSPACE, NULL},
        {"send --set tls.mode=o", COMPLETING_WORDS, "tls.mode=off\ntls.mode=opportunistic\n"},
        {"send --set tls.mode = o", COMPLETING_WORDS, "off\nopportunistic\n"},
        {"send --set tls.mode =", COMPLETING_WORDS, "off\nopportunistic\nrequired\n"},
        {"send --set suppress.auto=", COMPLETING_WORDS, "suppress.auto=true\nsuppress.auto=false\n"},
        {"send --set store.path=", COMPLETING_WORDS, ""},
        {"report ", COMPLETING_CAMPAIGNS, ""},
        {"report x ", COMPLETING_WORDS, ""},
        {"report --set a=b ", COMPLETING_CAMPAIGNS, ""},
        {"report -- -", COMPLETING_CAMPAIGNS, ""},
        {"backup ", COMPLETING_FOLDERS, ""},
        {"config ", COMPLETING_WORDS, "show\ncheck\n"},
        {"config check ", COMPLETING_FILES, ""},
        {"config check x ", COMPLETING_WORDS, ""},
        {"secret ", COMPLETING_WORDS, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i].line, cases[i].kind, cases[i].found);
}

static void nothing_at_all_is_no_crash(void **state) {
    (void)state;
    struct buf out;
    struct slice typed;
    buf_init(&out, 65536);
    assert_int_equal(completing(NULL, 0, &out, &typed), COMPLETING_WORDS);
    assert_true(out.len > 0);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_completed),
        cmocka_unit_test(nothing_at_all_is_no_crash),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
