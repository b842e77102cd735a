/* tsubame prune: the recipients of campaigns that ended long ago are removed by hand. */
#include "asking.h"
#include "command.h"
#include "instance.h"
#include "offline.h"
#include "pruning.h"
#include "show.h"
#include "units.h"

#include <stdio.h>
#include <unistd.h>

static const struct arg args[] = {
    {"older-than", 0, "AGE", "campaigns that ended so long ago, such as 90d"},
    {"campaign", 'c', "CAMPAIGN", "this one alone, by name or number"},
    {"dry-run", 'n', NULL, "only say what would be removed"},
    {"yes", 'y', NULL, "do not ask"},
};

static int take(struct invocation *in, struct pruning *p) {
    const char *age = invocation_value(in, "older-than"), *campaign = invocation_value(in, "campaign");
    *p = (struct pruning){.older_us = -1, .dry = invocation_has(in, "dry-run")};
    if (!age && !campaign)
        return command_complain(EXIT_USAGE,
                                "prune: what? Give --older-than AGE, --campaign CAMPAIGN, or both");
    if (age && !units_duration(slice_of(age), &p->older_us))
        return command_complain(EXIT_USAGE, "--older-than: expected an age such as 90d or 12h, got '%s'",
                                age);
    if (campaign && (!*campaign || strlen(campaign) >= sizeof p->campaign))
        return command_complain(EXIT_USAGE, "--campaign: expected the name or number of a campaign");
    if (campaign) snprintf(p->campaign, sizeof p->campaign, "%s", campaign);
    return EXIT_DONE;
}

/* Without a server: the history is brought up to the ledger first, and the ledger lets go of what has ended.
 */
static struct jdoc *prune_here(struct invocation *in, const struct pruning *p, struct err *err) {
    struct store *store = instance_store(in->options, false, err);
    struct jdoc *reply = store ? jdoc_object() : NULL;
    if (reply && (offline_settle(store, in->options->history.memory, err) ||
                  pruning_run(p, store, NULL, NULL, reply, err))) {
        jdoc_free(reply);
        reply = NULL;
    }
    store_free(store);
    return reply;
}

static struct jdoc *prune(struct invocation *in, const struct pruning *p, struct err *err) {
    struct talk server;
    if (talk_connect(&server, in->options->control.socket, err) == 0) {
        struct jdoc *request = pruning_to_json(p);
        struct jdoc *reply = talk_ask(&server, request, NULL, 0, NULL, NULL, err);
        jdoc_free(request);
        talk_done(&server);
        return reply;
    }
    if (err->kind != ERR_ABSENT) return NULL;
    if (access(in->options->store.path, F_OK))
        return err_set(err, ERR_ABSENT, "there is no store at %s (store.path)", in->options->store.path),
               NULL;
    return prune_here(in, p, err);
}

static void put_list(struct buf *out, const struct jdoc *list) {
    for (size_t i = 0; i < jdoc_count(list); i++) {
        const struct jdoc *c = jdoc_item(list, i);
        struct slice ended = jdoc_text(c, "ended");
        buf_printf(out, "  %6lld  ", (long long)jdoc_number(c, "campaign", 0));
        show_text(out, jdoc_text(c, "name"));
        buf_printf(out, "  ended %.*s, ", ended.len > 10 ? 10 : (int)ended.len, ended.at);
        units_put_grouped(out, (uint64_t)jdoc_number(c, "recipients", 0));
        buf_printf(out, " recipients, %.1f MB\n", (double)jdoc_number(c, "bytes", 0) / 1048576);
    }
}

static int tell(struct invocation *in, const struct pruning *p, struct jdoc *reply) {
    const struct jdoc *gone = jdoc_get(reply, "campaigns"), *kept = jdoc_get(reply, "kept");
    int64_t notes = jdoc_number(reply, "notes", 0);
    struct buf out;
    buf_init(&out, 16 << 20);
    if (in->json) {
        jdoc_put_bool(reply, "dry_run", p->dry);
        jdoc_write(reply, true, &out);
    } else if (jdoc_count(gone) == 0) {
        if (notes == 0) buf_put_text(&out, "Nothing is to be removed.\n");
    } else {
        buf_put_text(&out, p->dry ? "Would be removed, with all that is known of the recipients:\n"
                                  : "Removed, with all that was known of the recipients; the sums remain:\n");
        put_list(&out, gone);
    }
    if (!in->json && notes)
        buf_printf(&out, "%s notes of the audit trail: %lld\n", p->dry ? "Would be removed," : "Removed",
                   (long long)notes);
    if (!in->json && jdoc_count(kept)) {
        buf_put_text(&out,
                     "Just ended, so that the history is not through with them; try again in a minute:\n");
        put_list(&out, kept);
    }
    int code = command_print(&out);
    buf_done(&out);
    return code;
}

static int confirm(struct invocation *in) {
    char answer[16] = "";
    if (invocation_has(in, "yes")) return EXIT_DONE;
    if (!isatty(STDIN_FILENO))
        return command_complain(EXIT_USAGE,
                                "prune: what is removed is gone for good: give --yes (or --dry-run)");
    fprintf(stderr, "Remove this for good? [y/N] ");
    if (!fgets(answer, sizeof answer, stdin) || ascii_lower(answer[0]) != 'y')
        return command_complain(EXIT_FAILED, "nothing was changed");
    return EXIT_DONE;
}

static int run(struct invocation *in) {
    struct pruning p;
    struct err err;
    int code = take(in, &p);
    if (code == EXIT_DONE && !p.dry && !invocation_has(in, "yes") && isatty(STDIN_FILENO)) {
        p.dry = true;
        struct jdoc *first = prune(in, &p, &err);
        if (!first) return command_fail(&err);
        bool any = jdoc_count(jdoc_get(first, "campaigns")) > 0 || jdoc_number(first, "notes", 0) > 0;
        code = tell(in, &p, first);
        jdoc_free(first);
        if (code || !any) return code;
        p.dry = false;
    }
    if (code == EXIT_DONE && !p.dry) code = confirm(in);
    if (code) return code;
    struct jdoc *reply = prune(in, &p, &err);
    if (!reply) return command_fail(&err);
    code = tell(in, &p, reply);
    jdoc_free(reply);
    return code;
}

const struct command command_prune = {
    .name = "prune",
    .summary = "remove what is known of the recipients of old campaigns",
    .text =
        "Of campaigns that have ended: their lists, variables, contents and what became of each recipient. "
        "The\n"
        "sums stay, and reports say when the rest was removed. Campaigns under way are never touched.\n"
        "history.keep and history.max_size do the same by themselves. The space is given back to the disk.\n",
    .examples = "  tsubame prune --older-than 400d --dry-run\n"
                "  tsubame prune --older-than 90d --yes\n"
                "  tsubame prune --campaign spring-news\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
