/* Requests to a server, and its replies as plain data. */
#include "asking.h"

#include "course_json.h"
#include "options.h"
#include "show.h"

#include <stdio.h>

int asking_connect(struct talk *server, const struct options *options, struct err *err) {
    if (talk_connect(server, options->control.socket, err) == 0) return 0;
    if (err->kind == ERR_ABSENT)
        err_set(err, ERR_ABSENT,
                "no server is running (nobody answers at %s): only a running one can show this; `tsubame "
                "status` shows what stands in the store",
                options->control.socket);
    return -1;
}

struct jdoc *asking_for(struct talk *server, struct jdoc *request, struct err *err) {
    struct jdoc *reply = talk_ask(server, request, NULL, 0, NULL, NULL, err);
    jdoc_free(request);
    return reply;
}

static struct jdoc *request_for(const char *what) {
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", slice_of(what));
    return request;
}

struct jdoc *asking(struct talk *server, const char *what, const char *key, struct slice text,
                    struct err *err) {
    struct jdoc *request = request_for(what);
    if (key) jdoc_put_text(request, key, text);
    return asking_for(server, request, err);
}

static int take(struct jdoc *reply, struct asked *answer, struct err *err) {
    if (!reply) return -1;
    struct slice trouble = jdoc_text(jdoc_get(reply, "counters"), "trouble");
    bool good = show_campaign_from_json(jdoc_get(reply, "campaign"), &answer->campaign);
    answer->busy = (unsigned)jdoc_number(reply, "busy", 0);
    snprintf(answer->trouble, sizeof answer->trouble, "%.*s", SLICE_ARG(trouble));
    jdoc_free(reply);
    return good ? 0 : err_set(err, ERR_SYSTEM, "the server's answer could not be read");
}

int asking_campaign(struct talk *server, const char *what, uint32_t id, struct asked *answer,
                    struct err *err) {
    struct jdoc *request = request_for(what);
    jdoc_put_number(request, "id", id);
    return take(asking_for(server, request, err), answer, err);
}

int asking_course(struct talk *server, uint32_t id, const struct campaign_change *change,
                  struct asked *answer, struct err *err) {
    struct jdoc *request = request_for("course");
    jdoc_put_number(request, "id", id);
    course_change_to_json(request, change);
    return take(asking_for(server, request, err), answer, err);
}

int asking_find(struct talk *server, const char *name, struct asked *answer, struct err *err) {
    return take(asking(server, "campaign", "name", slice_of(name), err), answer, err);
}
