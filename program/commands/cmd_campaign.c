/* tsubame hold, resume, cancel: a campaign's course is changed, in a running server or in the store. */
#include "asking.h"
#include "command.h"
#include "finding.h"
#include "hands_here.h"
#include "instance.h"
#include "offline.h"
#include "show.h"

#include <stdio.h>
#include <unistd.h>

static const struct arg args[] = {
    {"yes", 'y', NULL, "do not ask"},
};
static const struct arg selecting[] = {
    HANDS_SELECTOR,
    {"order", 0, "N", "the order of that number (`tsubame orders`)"},
    HANDS_COMMON,
};

static int change_here(struct invocation *in, enum offline_change change, struct campaign_status *c,
                       struct err *err) {
    struct campaign_row row;
    char by[OFFLINE_NAME_MAX + 1];
    offline_user(getuid(), by); /* before it becomes the store's owner */
    struct store *store = instance_store(in->options, false, err);
    if (!store) return -1;
    int failed = offline_apply(store, c->id, change, slice_of(by), &row, err);
    store_free(store);
    if (failed) return -1;
    c->state = row.state;
    c->tally = row.tally;
    c->ended = row.ended;
    return 0;
}

static int change(struct invocation *in, enum offline_change what, struct campaign_status *c) {
    struct talk server;
    struct asked answer = {.campaign = *c};
    struct err err;
    int failed;
    if (talk_connect(&server, in->options->control.socket, &err) == 0) {
        failed = asking_campaign(&server, in->command->name, c->id, &answer, &err);
        talk_done(&server);
        *c = answer.campaign;
    } else if (err.kind == ERR_ABSENT) {
        failed = change_here(in, what, c, &err);
    } else {
        failed = -1;
    }
    return failed ? command_fail(&err) : EXIT_DONE;
}

/* Only what cannot be undone is asked about. */
static int confirm(struct invocation *in, const struct campaign_status *c) {
    char answer[16] = "";
    struct buf text;
    buf_init(&text, 4096);
    show_equation(&text, &c->tally);
    command_complain(0, "campaign %u (%s): %.*s", c->id, c->name, SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    if (invocation_has(in, "yes")) return EXIT_DONE;
    unsigned long long pending = tally_pending(&c->tally);
    if (!isatty(STDIN_FILENO))
        return command_complain(EXIT_USAGE, "%llu recipients would be cancelled for good: give --yes",
                                pending);
    fprintf(stderr, "Cancel %llu recipients for good? [y/N] ", pending);
    if (!fgets(answer, sizeof answer, stdin) || ascii_lower(answer[0]) != 'y')
        return command_complain(EXIT_FAILED, "nothing was changed");
    return EXIT_DONE;
}

static int run_as(struct invocation *in, enum offline_change what) {
    struct campaign_status c = {0};
    if (what != OFFLINE_HOLD && hands_asked(in)) return hands_run(in, in->command->name);
    int code = finding_campaign(in, &c);
    if (code == EXIT_DONE && what == OFFLINE_CANCEL && !c.ended) code = confirm(in, &c);
    if (code == EXIT_DONE) code = change(in, what, &c);
    return code ? code : finding_tell(in, &c);
}

static int run_hold(struct invocation *in) {
    return run_as(in, OFFLINE_HOLD);
}
static int run_resume(struct invocation *in) {
    return run_as(in, OFFLINE_RESUME);
}
static int run_cancel(struct invocation *in) {
    return run_as(in, OFFLINE_CANCEL);
}

#define COMMON                                                                                               \
    .operands = "[CAMPAIGN]", .args = selecting, .arg_count = sizeof selecting / sizeof selecting[0],        \
    .least = 0, .most = 1, .json = true

const struct command command_hold = {
    .name = "hold",
    .summary = "stop a campaign for now",
    .text =
        "No new mail of it is begun; what is on the wire is brought to its end. `tsubame resume` lets it "
        "go on. The same as `tsubame suspend --campaign CAMPAIGN`, and it is done without a server too.\n",
    .examples = "  tsubame hold spring-news\n",
    .operands = "CAMPAIGN",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = 1,
    .json = true,
    .run = run_hold,
};
const struct command command_resume = {
    .name = "resume",
    .summary = "let a held campaign, or what was suspended, go on",
    .text = "CAMPAIGN: in a running server it goes on at once, else with the next `tsubame serve` or "
            "`tsubame send`.\n\n"
            "With options: the order that suspends just this mail, or has that number, is taken back.\n",
    .examples =
        "  tsubame resume spring-news\n  tsubame resume --provider google\n  tsubame resume --order 3\n",
    COMMON,
    .run = run_resume,
};
const struct command command_cancel = {
    .name = "cancel",
    .summary = "give a campaign, or a part of the mail that waits, up",
    .text = "Whoever is pending gets no mail. With options: those of all campaigns, or of CAMPAIGN, that are "
            "named by "
            "them; campaigns that come later are not meant. Nothing of it is begun from that moment, and the "
            "ledger "
            "is written on in the background: `tsubame orders` shows how far.\n\n"
            "Shows how many it touches and asks first; --yes does not ask. What is on the wire may still "
            "arrive.\n",
    .examples = "  tsubame cancel spring-news\n  tsubame cancel 12 --yes\n"
                "  tsubame cancel --campaign spring-news --domain example.org\n",
    COMMON,
    .run = run_cancel,
};
