/* A loop that runs while a question is open. */
#include "names_ask.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 8000 };

struct names_ask {
    struct loop *loop;
    struct records *records;
    struct records_answer *copy;
};

struct names_ask *names_ask_open(const struct options *o, struct err *err) {
    struct names_ask *n = calloc(1, sizeof *n);
    struct resolver_options options = {.servers = o->dns.servers.at,
                                       .server_count = o->dns.servers.count,
                                       .trust_anchor = o->dns.trust_anchor,
                                       .cache_mb = 4,
                                       .timeout_ms = TIMEOUT_MS};
    if (!n) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    n->loop = loop_open(err);
    n->records = n->loop ? records_open(n->loop, &options, err) : NULL;
    if (n->records) return n;
    names_ask_close(n);
    return NULL;
}

void names_ask_close(struct names_ask *n) {
    if (!n) return;
    records_close(n->records);
    loop_close(n->loop);
    free(n);
}

/* One block: the answer, and behind it the bytes of its values. */
static void keep(void *ctx, const struct records_answer *a) {
    struct names_ask *n = ctx;
    size_t bytes = 0;
    for (size_t i = 0; i < a->count; i++)
        bytes += a->values[i].len;
    loop_stop(n->loop);
    n->copy = malloc(sizeof *n->copy + bytes);
    if (!n->copy) return;
    *n->copy = *a;
    char *at = (char *)(n->copy + 1);
    for (size_t i = 0; i < a->count; i++) {
        if (a->values[i].len) memcpy(at, a->values[i].at, a->values[i].len);
        n->copy->values[i].at = at;
        at += a->values[i].len;
    }
}

struct records_answer *names_ask(struct names_ask *n, const char *name, uint16_t type, int64_t *took_us) {
    mono_us began = clock_mono();
    n->copy = NULL;
    if (records_ask(n->records, slice_of(name), type, keep, n) == 0) loop_run(n->loop);
    if (took_us) *took_us = clock_mono() - began;
    return n->copy;
}
