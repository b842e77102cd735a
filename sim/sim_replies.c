/* `tsubame-sim replies`: every text of every manner, as a client would see it, for whoever reads replies. */
#include "sim_commands.h"
#include "sim_smtp.h"

#include <stdio.h>

const char sim_replies_help[] =
    "usage: tsubame-sim replies [MANNER]\n"
    "\n"
    "Prints what the providers say: a line of manner, kind of reply, what it answers and text, "
    "tab-separated; the\n"
    "lines of a reply stand one behind the other with \\n between them. Kinds are the keys of `replies` in "
    "a\n"
    "scenario.\n"
    "\n"
    "example:\n"
    "  tsubame-sim replies qq\n"
    "  tsubame-sim replies | awk -F '\\t' '$2 == \"unknown\" {print $3 \"\\t\" $4 \"\\t\" $1}' | tsubame "
    "classify-reply\n";

static const char *stage_of(enum sim_reply what) {
    switch ((int)what) {
    case SIM_SAY_GREETING:
    case SIM_SAY_CONNECTIONS:
    case SIM_SAY_CONNECTION_RATE:
    case SIM_SAY_KNOCKING:
    case SIM_SAY_BLOCKED:
    case SIM_SAY_REFUSE_CONNECT:
    case SIM_SAY_SHUTDOWN: return "connect";
    case SIM_SAY_HELLO: return "ehlo";
    case SIM_SAY_MAIL:
    case SIM_SAY_MESSAGES:
    case SIM_SAY_RATE:
    case SIM_SAY_DAILY:
    case SIM_SAY_REPUTATION:
    case SIM_SAY_SIZE:
    case SIM_SAY_TLS_REQUIRED: return "mail";
    case SIM_SAY_DATA:
    case SIM_SAY_ACCEPTED:
    case SIM_SAY_DEFER_DATA:
    case SIM_SAY_CONTENT:
    case SIM_SAY_REFUSE_DATA: return "data";
    case SIM_SAY_QUIT: return "quit";
    default: return "rcpt";
    }
}

static void put_manner(struct sim_session *s, uint32_t manner) {
    for (int what = 0; what < SIM_SAYS; what++) {
        struct slice text = sim_manner_text(s->provider, manner, (enum sim_reply)what), line;
        printf("%s\t%s\t%s\t", sim_manner_names[manner], sim_reply_names[what],
               stage_of((enum sim_reply)what));
        sim_say_make(s, text, SLICE("someone@example.test"));
        struct slice rest = buf_slice(&s->text);
        const char *between = "";
        while (slice_cut(&rest, '\n', &line) && rest.at) {
            printf("%s%.*s", between, (int)line.len - 1, line.at);
            between = "\\n";
        }
        putchar('\n');
    }
}

int sim_replies(int argc, char **argv) {
    static const char scenario[] = "providers: [{name: x, domains: [example.test]}]";
    struct sim_scenario scene;
    struct sim_world world;
    struct sim_session session;
    struct err err = {0};
    bool any = false;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(sim_replies_help, stdout);
        return 0;
    }
    if (argc > 2) {
        fputs(sim_replies_help, stderr);
        return 2;
    }
    int rc = sim_scenario_parse(&scene, slice_of(scenario), "replies", &err);
    if (rc == 0) rc = sim_world_init(&world, &scene, 1, &err);
    if (rc == 0) {
        struct sim_name host = sim_names_find(&scene, SLICE("mx1.example.test"));
        sim_smtp_init(&session, &world, &host, sim_names_address(&host), 0x7f000001);
        session.grey_wait = 300 * US_PER_SEC;
        for (uint32_t i = 0; sim_manner_names[i]; i++) {
            if (argc == 2 && strcmp(argv[1], sim_manner_names[i]) != 0) continue;
            put_manner(&session, i);
            any = true;
        }
        sim_smtp_done(&session);
        sim_world_done(&world);
    }
    sim_scenario_done(&scene);
    if (rc) fprintf(stderr, "tsubame-sim: %s\n", err.text);
    if (rc == 0 && !any) fprintf(stderr, "tsubame-sim: no manner '%s'\n", argv[1]);
    return rc ? 1 : any ? 0 : 2;
}
