/* A change of the audit trail as a line or two, and as JSON. */
#include "show_note.h"

#include "lane_audit.h"
#include "show.h"
#include "units.h"

#include <stdio.h>

/* "20 to 9.5 messages/s"; gates have seconds, and are shut from a time on or open again. */
static void put_change(const struct note *n, struct buf *out) {
    static const char *const units[LEARN_DIMENSIONS] = {
        [LEARN_CONNECTIONS] = "connections",
        [LEARN_RATE] = "messages/s",
        [LEARN_PER_CONNECTION] = "messages in a connection",
        [LEARN_NEW_CONNECTIONS] = "new connections/min",
        [LEARN_QUOTA] = "messages a day",
    };
    static const char *const gates[LEARN_DIMENSIONS] = {
        [LEARN_PAUSE] = "a pause was asked for",
        [LEARN_REFUSED] = "refused altogether",
        [LEARN_OUTAGE] = "no host answers",
    };
    unsigned d = n->dimension < LEARN_DIMENSIONS ? n->dimension : LEARN_NOTHING;
    if (gates[d] && n->to > 0)
        buf_printf(out, "shut: %s", gates[d]);
    else if (gates[d])
        buf_printf(out, "open again after %.3g s (%s)", n->from, gates[d]);
    else if (n->to > 0 && n->from > 0)
        buf_printf(out, "%.4g to %.4g %s", n->from, n->to, units[d] ? units[d] : "?");
    else if (n->to > 0)
        buf_printf(out, "%.4g %s", n->to, units[d] ? units[d] : "?");
    else
        buf_printf(out, "%.4g to none, %s", n->from, units[d] ? units[d] : "?");
}

static void put_hand(const struct note *n, struct buf *out) {
    buf_put_text(out, note_act_name(n->act));
    if (n->scope.len) buf_put_c(out, ' ');
    show_text(out, n->scope);
    char own[32];
    snprintf(own, sizeof own, "campaign %u", n->campaign);
    if (n->campaign && !slice_eq(n->scope, slice_of(own))) buf_printf(out, " (%s)", own);
    if (n->act != NOTE_TRACED) {
        buf_put_text(out, ": ");
        units_put_grouped(out, n->touched);
        buf_put_text(out, n->touched == 1 ? " recipient" : " recipients");
    }
    buf_put_text(out, ", by ");
    show_text(out, n->by.len ? n->by : SLICE("nobody known"));
}

void show_note(struct buf *out, const struct note *n, bool colour) {
    char time[CLOCK_TEXT_MAX];
    clock_rfc3339(n->at, time);
    buf_printf(out, "%.10s %.8s  ", time, time + 11);
    if (n->provider.len) show_text(out, n->provider);
    if (n->source.len) {
        buf_put_text(out, " from ");
        show_text(out, n->source);
    }
    if (n->provider.len || n->source.len) buf_put_text(out, ": ");
    if (n->what == NOTE_LIMIT)
        put_change(n, out);
    else
        put_hand(n, out);
    if (n->what == NOTE_LIMIT) buf_printf(out, ", by %s", learn_cause_name(n->cause));
    if (n->what == NOTE_LIMIT && n->changes > 1) buf_printf(out, " (%u changes)", n->changes);
    buf_put_c(out, '\n');
    if (!n->words.len) return;
    buf_printf(out, "    %s", show_dim(colour));
    if (n->code) buf_printf(out, "%u ", n->code);
    show_text(out, n->words);
    buf_printf(out, "%s\n", show_plain(colour));
}

static void put_text(struct jdoc *to, const char *key, struct slice text) {
    if (text.len)
        jdoc_put_text(to, key, text);
    else
        jdoc_put_null(to, key);
}

void show_note_json(struct jdoc *to, const struct note *n) {
    char time[CLOCK_TEXT_MAX];
    jdoc_put_text(to, "at", slice_make(time, (size_t)clock_rfc3339(n->at, time)));
    jdoc_put_text(to, "kind", n->what == NOTE_LIMIT ? SLICE("limit") : SLICE("hand"));
    put_text(to, "provider", n->provider);
    put_text(to, "source", n->source);
    if (n->what == NOTE_LIMIT) {
        jdoc_put_text(to, "dimension", slice_of(learn_dimension_name((enum learn_dimension)n->dimension)));
        jdoc_put_real(to, "from", n->from);
        jdoc_put_real(to, "to", n->to);
        jdoc_put_text(to, "cause", slice_of(learn_cause_name(n->cause)));
        jdoc_put_number(to, "code", n->code);
        jdoc_put_number(to, "changes", n->changes);
    } else {
        jdoc_put_text(to, "act", slice_of(note_act_name(n->act)));
        put_text(to, "scope", n->scope);
        jdoc_put_number(to, "campaign", n->campaign);
        jdoc_put_number(to, "recipients", (int64_t)n->touched);
        put_text(to, "by", n->by);
    }
    put_text(to, "words", n->words);
}

/* ---- and back ---- */

static unsigned number_of(struct slice name, const char *(*name_of)(unsigned), unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (slice_eq(name, slice_of(name_of(i)))) return i;
    return 0;
}

static const char *dimension_name(unsigned d) {
    return learn_dimension_name((enum learn_dimension)d);
}

bool show_note_read(struct note *n, const struct jdoc *o) {
    *n = (struct note){.what = slice_eq(jdoc_text(o, "kind"), SLICE("limit")) ? NOTE_LIMIT : NOTE_HAND,
                       .provider = jdoc_text(o, "provider"),
                       .source = jdoc_text(o, "source"),
                       .words = jdoc_text(o, "words"),
                       .code = (uint16_t)jdoc_number(o, "code", 0),
                       .from = jdoc_real(o, "from", 0),
                       .to = jdoc_real(o, "to", 0),
                       .changes = (uint32_t)jdoc_number(o, "changes", 1),
                       .campaign = (uint32_t)jdoc_number(o, "campaign", 0),
                       .scope = jdoc_text(o, "scope"),
                       .by = jdoc_text(o, "by"),
                       .touched = (uint64_t)jdoc_number(o, "recipients", 0)};
    n->dimension = (uint8_t)number_of(jdoc_text(o, "dimension"), dimension_name, LEARN_DIMENSIONS);
    n->cause = (uint8_t)number_of(jdoc_text(o, "cause"), learn_cause_name, LEARN_BY_DOUBT + 1);
    n->act = (uint8_t)number_of(jdoc_text(o, "act"), note_act_name, NOTE_ACTS);
    return units_time(jdoc_text(o, "at"), &n->at);
}
