/* Which campaign, and how it stands. */
#include "finding.h"

#include "asking.h"
#include "reading.h"
#include "show.h"

#include <stdio.h>
#include <unistd.h>

void finding_copy(struct campaign_status *to, const struct campaign_row *row, wall_us now) {
    *to = (struct campaign_status){.id = row->id,
                                   .state = row->state,
                                   .tally = row->tally,
                                   .created = row->created,
                                   .ready = row->ready,
                                   .expires = row->expires,
                                   .ended = row->ended,
                                   .course = row->course,
                                   .waits = row->course.not_before > now};
    snprintf(to->name, sizeof to->name, "%.*s", SLICE_ARG(row->name));
}

static int find_here(struct invocation *in, struct campaign_status *c) {
    struct reading r;
    int code = reading_open(&r, in->options, 0);
    if (code) return code;
    const struct campaign_row *row = reading_campaign(&r, in->operands[0]);
    if (row) finding_copy(c, row, clock_wall());
    reading_close(&r);
    return row ? EXIT_DONE : EXIT_ABSENT;
}

/* What is touched: the campaign as it stands. A server is asked, which needs no rights on its store; each
 * question by a connection of its own, for a person may think for long in between. */
int finding_campaign(struct invocation *in, struct campaign_status *c) {
    struct talk server;
    struct asked answer = {0};
    struct err err;
    if (talk_connect(&server, in->options->control.socket, &err))
        return err.kind == ERR_ABSENT ? find_here(in, c) : command_fail(&err);
    int failed = asking_find(&server, in->operands[0], &answer, &err);
    talk_done(&server);
    *c = answer.campaign;
    return failed ? command_fail(&err) : EXIT_DONE;
}

int finding_tell(const struct invocation *in, const struct campaign_status *c) {
    struct buf out;
    buf_init(&out, 65536);
    if (in->json) {
        struct jdoc *o = jdoc_object();
        show_campaign_json(o, c);
        jdoc_write(o, true, &out);
        jdoc_free(o);
    } else {
        show_campaigns(&out, c, 1, show_is_terminal(STDOUT_FILENO));
    }
    int code = command_print(&out);
    buf_done(&out);
    return code;
}
