/* Tables and equations for people. */
#include "show.h"

#include "lane_audit.h"

#include "shown.h"
#include "units.h"

#include <stdlib.h>
#include <unistd.h>

bool show_is_terminal(int fd) {
    const char *term = getenv("TERM");
    return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

static const char *escape(bool on, const char *code) {
    const char *no = getenv("NO_COLOR");
    return on && !(no && *no) ? code : "";
}
const char *show_bold(bool on) {
    return escape(on, "\033[1m");
}
const char *show_red(bool on) {
    return escape(on, "\033[31m");
}
const char *show_dim(bool on) {
    return escape(on, "\033[2m");
}
const char *show_plain(bool on) {
    return escape(on, "\033[0m");
}

void show_text(struct buf *out, struct slice text) {
    shown_put(out, text);
}

struct word {
    const char *name;
    uint64_t count;
    bool always;
};

static void words_of(const struct tally *t, struct word words[7]) {
    const struct word all[7] = {{"delivered", t->delivered, true},    {"failed", t->failed, false},
                                {"suppressed", t->suppressed, false}, {"cancelled", t->cancelled, false},
                                {"expired", t->expired, false},       {"pending", tally_pending(t), true},
                                {"uncertain", t->uncertain, false}};
    memcpy(words, all, sizeof all);
}

const char *show_reason(enum event_kind kind, uint8_t class, unsigned code) {
    return event_is_unmade(kind, class, code) ? "not-made" : classify_name(class);
}

void show_equation(struct buf *out, const struct tally *t) {
    struct word words[7];
    words_of(t, words);
    units_put_grouped(out, t->planned);
    buf_put_text(out, " planned = ");
    bool first = true;
    for (size_t i = 0; i < 7; i++) {
        if (!words[i].count && !words[i].always) continue;
        if (!first) buf_put_text(out, " + ");
        units_put_grouped(out, words[i].count);
        buf_printf(out, " %s", words[i].name);
        first = false;
    }
}

void show_tally_json(struct jdoc *object, const struct tally *t) {
    struct word words[7];
    words_of(t, words);
    jdoc_put_number(object, "planned", (int64_t)t->planned);
    for (size_t i = 0; i < 7; i++)
        jdoc_put_number(object, words[i].name, (int64_t)words[i].count);
    jdoc_put_number(object, "rejected", (int64_t)t->rejected);
    jdoc_put_number(object, "duplicates", (int64_t)t->duplicates);
    jdoc_put_number(object, "deferrals", (int64_t)t->deferrals);
    jdoc_put_number(object, "uncertain_attempts", (int64_t)t->doubted);
}

static void put_time(struct jdoc *object, const char *key, wall_us at) {
    char text[CLOCK_TEXT_MAX];
    if (at)
        jdoc_put_text(object, key, slice_make(text, (size_t)clock_rfc3339(at, text)));
    else
        jdoc_put_null(object, key);
}

void show_course_json(struct jdoc *o, const struct campaign_course *c) {
    jdoc_put_text(o, "priority", slice_of(campaign_priority_name(c->priority)));
    jdoc_put_number(o, "weight", c->weight ? c->weight : WEIGHT_DEFAULT);
    put_time(o, "not_before", c->not_before);
    put_time(o, "deadline", c->deadline);
}

static void put_moment(struct buf *out, wall_us at) {
    char text[CLOCK_TEXT_MAX];
    int n = clock_rfc3339(at / US_PER_SEC * US_PER_SEC, text);
    shown_put(out, slice_make(text, (size_t)n));
}

void show_course(struct buf *out, const struct campaign_course *c, bool waits) {
    buf_put_text(out, campaign_priority_name(c->priority));
    if (c->weight && c->weight != WEIGHT_DEFAULT) buf_printf(out, ", weight %u", c->weight);
    if (c->not_before) {
        buf_put_text(out, waits ? ", waits until " : ", not before ");
        put_moment(out, c->not_before);
    }
    if (c->deadline) {
        buf_put_text(out, ", wanted by ");
        put_moment(out, c->deadline);
    }
}

bool show_course_is_plain(const struct campaign_course *c) {
    return c->priority == PRIORITY_BULK && (!c->weight || c->weight == WEIGHT_DEFAULT) && !c->not_before &&
           !c->deadline;
}

static const char *state_word(const struct campaign_status *c) {
    return c->state == CAMPAIGN_READY && c->waits && !c->ended ? "scheduled" : campaign_state_name(c->state);
}

void show_campaign_json(struct jdoc *o, const struct campaign_status *c) {
    jdoc_put_number(o, "id", c->id);
    jdoc_put_text(o, "name", slice_of(c->name));
    jdoc_put_text(o, "state", slice_of(campaign_state_name(c->state)));
    jdoc_put_bool(o, "scheduled", c->waits);
    show_course_json(o, &c->course);
    show_tally_json(o, &c->tally);
    jdoc_put_number(o, "leased", (int64_t)c->leased);
    jdoc_put_number(o, "deferred", (int64_t)c->deferred);
    put_time(o, "created", c->created);
    put_time(o, "ready", c->ready);
    put_time(o, "expires", c->expires == NEVER ? 0 : c->expires);
    put_time(o, "ended", c->ended);
}

/* What is not known is left out. */
static void put_learned(struct jdoc *o, const struct lane_status *l) {
    struct jdoc *limits = jdoc_child_object(o, "limits"), *kept = jdoc_child_object(o, "kept");
    for (int d = LEARN_CONNECTIONS; d < LEARN_DIMENSIONS; d++) {
        const char *name = learn_dimension_name((enum learn_dimension)d);
        if (l->limit[d] > 0) jdoc_put_real(limits, name, l->limit[d]);
        if (l->kept[d] > 0) jdoc_put_real(kept, name, l->kept[d]);
    }
    jdoc_put_bool(o, "limits_by_host", l->by_host);
    if (l->bound)
        jdoc_put_text(o, "bound_by", slice_of(learn_dimension_name(l->bound)));
    else
        jdoc_put_null(o, "bound_by");
    put_time(o, "next_try", l->next_try);
    if (l->next_try && l->next_value > 0) jdoc_put_real(o, "next_value", l->next_value);
    if (l->since.at) {
        struct jdoc *since = jdoc_child_object(o, "since");
        put_time(since, "at", l->since.at);
        jdoc_put_text(since, "cause", slice_of(learn_cause_name(l->since.cause)));
        jdoc_put_number(since, "code", l->since.code);
        jdoc_put_text(since, "words", slice_of(l->since.words));
    }
    jdoc_put_text(o, "why", slice_of(l->sentence));
}

void show_lane_json(struct jdoc *o, const struct lane_status *l) {
    jdoc_put_text(o, "provider", slice_of(l->provider));
    jdoc_put_text(o, "source", slice_of(l->source));
    jdoc_put_number(o, "sessions", l->sessions);
    jdoc_put_number(o, "waiting", l->waiting);
    jdoc_put_number(o, "suspended", l->suspended);
    jdoc_put_number(o, "delivered", (int64_t)l->delivered);
    jdoc_put_number(o, "deferred", (int64_t)l->deferred);
    jdoc_put_number(o, "failed", (int64_t)l->failed);
    jdoc_put_bool(o, "down", l->down);
    jdoc_put_bool(o, "tail", l->tail);
    jdoc_put_text(o, "last_error", slice_of(l->last_error));
    jdoc_put_number(o, "in_flight", l->in_flight);
    jdoc_put_real(o, "messages_per_second", l->rate);
    put_learned(o, l);
}

static uint64_t count_of(const struct jdoc *o, const char *key) {
    return (uint64_t)jdoc_number(o, key, 0);
}

/* What the command line needs of what the server told: the rest stays zero. */
bool show_campaign_from_json(const struct jdoc *o, struct campaign_status *c) {
    *c = (struct campaign_status){.id = (uint32_t)jdoc_number(o, "id", 0)};
    struct slice name = jdoc_text(o, "name"), state = jdoc_text(o, "state");
    if (name.len >= sizeof c->name) name.len = sizeof c->name - 1;
    if (name.len) memcpy(c->name, name.at, name.len);
    for (int s = CAMPAIGN_LOADING; s <= CAMPAIGN_DONE; s++)
        if (slice_eq(state, slice_of(campaign_state_name((enum campaign_state)s))))
            c->state = (enum campaign_state)s;
    c->tally = (struct tally){.planned = count_of(o, "planned"),
                              .delivered = count_of(o, "delivered"),
                              .failed = count_of(o, "failed"),
                              .suppressed = count_of(o, "suppressed"),
                              .cancelled = count_of(o, "cancelled"),
                              .expired = count_of(o, "expired"),
                              .uncertain = count_of(o, "uncertain"),
                              .rejected = count_of(o, "rejected"),
                              .duplicates = count_of(o, "duplicates"),
                              .deferrals = count_of(o, "deferrals"),
                              .doubted = count_of(o, "uncertain_attempts")};
    c->leased = count_of(o, "leased");
    c->deferred = count_of(o, "deferred");
    c->ended = jdoc_text(o, "ended").len > 0;
    c->waits = jdoc_bool(o, "scheduled", false);
    campaign_priority_parse(jdoc_text(o, "priority"), &c->course.priority);
    c->course.weight = (uint32_t)jdoc_number(o, "weight", 0);
    if (!units_time(jdoc_text(o, "not_before"), &c->course.not_before)) c->course.not_before = 0;
    if (!units_time(jdoc_text(o, "deadline"), &c->course.deadline)) c->course.deadline = 0;
    if (!units_time(jdoc_text(o, "expires"), &c->expires)) c->expires = NEVER;
    return c->id != 0 && c->state != 0;
}

void show_campaigns(struct buf *out, const struct campaign_status *all, size_t count, bool colour) {
    if (count == 0) {
        buf_put_text(out, "No campaigns.\n");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct campaign_status *c = &all[i];
        buf_printf(out, "%s%u  ", show_bold(colour), c->id);
        show_text(out, slice_of(c->name));
        buf_printf(out, "%s  %s\n    ", show_plain(colour), state_word(c));
        if (!show_course_is_plain(&c->course)) {
            show_course(out, &c->course, c->waits);
            buf_put_text(out, "\n    ");
        }
        show_equation(out, &c->tally);
        buf_put_c(out, '\n');
        if (c->leased || c->deferred) {
            buf_put_text(out, "    of the pending: ");
            units_put_grouped(out, c->leased);
            buf_put_text(out, " on the wire, ");
            units_put_grouped(out, c->deferred);
            buf_put_text(out, " refused for now and tried again later\n");
        }
    }
}

void show_gap(struct buf *out, const struct history_gap *gap, bool colour) {
    if (!gap->last) return;
    buf_printf(out, "%sNote:%s ", show_red(colour), show_plain(colour));
    history_gap_put_text(gap, out);
    buf_put_text(out, ".\n");
}

void show_gap_json(struct jdoc *list, const struct history_gap *gap) {
    struct buf text;
    if (!gap->last) return;
    buf_init(&text, 512);
    history_gap_put_text(gap, &text);
    jdoc_item_text(list, buf_slice(&text));
    buf_done(&text);
}

void show_removed(struct buf *out, const struct history_removed *removed, bool colour) {
    if (!removed->campaign) return;
    buf_printf(out, "%sNote:%s ", show_bold(colour), show_plain(colour));
    history_removed_put_text(removed, out);
    buf_put_text(out, ": these are its sums.\n");
}
void show_removed_json(struct jdoc *list, const struct history_removed *removed) {
    struct buf text;
    if (!removed->campaign) return;
    buf_init(&text, 512);
    history_removed_put_text(removed, &text);
    jdoc_item_text(list, buf_slice(&text));
    buf_done(&text);
}
