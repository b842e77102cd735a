/* tsubame campaign: how a campaign stands and is treated, and changing that. */
#include "asking.h"
#include "course_args.h"
#include "finding.h"
#include "instance.h"
#include "offline.h"

#include <unistd.h>

static const struct arg args[] = {COURSE_ARGS};

static int change_here(struct invocation *in, const struct campaign_change *change, struct campaign_status *c,
                       struct err *err) {
    struct campaign_row row;
    char by[OFFLINE_NAME_MAX + 1];
    offline_user(getuid(), by); /* before it becomes the store's owner */
    struct store *store = instance_store(in->options, false, err);
    if (!store) return -1;
    int failed = offline_course(store, c->id, change, slice_of(by), &row, err);
    store_free(store);
    if (failed) return -1;
    struct slice name = slice_of(c->name);
    row.name = name;
    struct campaign_status now;
    finding_copy(&now, &row, clock_wall());
    *c = now;
    return 0;
}

static int change_course(struct invocation *in, const struct campaign_change *change,
                         struct campaign_status *c) {
    struct talk server;
    struct asked answer = {.campaign = *c};
    struct err err;
    int failed = -1;
    if (talk_connect(&server, in->options->control.socket, &err) == 0) {
        failed = asking_course(&server, c->id, change, &answer, &err);
        talk_done(&server);
        *c = answer.campaign;
    } else if (err.kind == ERR_ABSENT) {
        failed = change_here(in, change, c, &err);
    }
    return failed ? command_fail(&err) : EXIT_DONE;
}

static int run(struct invocation *in) {
    struct campaign_change change;
    struct campaign_status c = {0};
    int code = course_from_args(in, &change);
    if (code == EXIT_DONE) code = finding_campaign(in, &c);
    bool any = change.priority || change.weight || change.not_before || change.deadline;
    if (code == EXIT_DONE && any) code = change_course(in, &change, &c);
    return code ? code : finding_tell(in, &c);
}

const struct command command_campaign = {
    .name = "campaign",
    .operands = "CAMPAIGN",
    .summary = "a campaign: how it stands; its priority, weight and times",
    .text =
        "Without options it is shown. In a running server a change counts from the next mail on; what is on\n"
        "its way to a receiver goes on. A later --not-before lets it wait again, `none` or a time in the\n"
        "past lets it begin at once; the time after which what is pending expires moves with it.\n",
    .examples = "  tsubame campaign spring-news\n"
                "  tsubame campaign spring-news --weight 300 --deadline +2h\n"
                "  tsubame campaign spring-news --not-before none\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .least = 1,
    .most = 1,
    .json = true,
    .run = run,
};
