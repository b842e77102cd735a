/* A note's provider, code and words are the event's own; all else stands in its detail, version first. */
#include "note.h"

#include <string.h>

enum { VERSION = 1 };

static const double value_most = 1e15;

const char *note_act_name(unsigned act) {
    static const char *const names[NOTE_ACTS] = {"?",           "suspended", "resumed",  "held",
                                                 "cancelled",   "flushed",   "rerouted", "forgotten",
                                                 "cancel-done", "changed",   "traced"};
    return names[act < NOTE_ACTS ? act : 0];
}

static struct slice first(struct slice s, size_t most) {
    return s.len > most ? slice_make(s.at, most) : s;
}

static void put_value(struct buf *out, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    buf_put_u64le(out, bits);
}

static bool take_value(struct slice *rest, double *x) {
    uint64_t bits;
    if (!take_u64le(rest, &bits)) return false;
    memcpy(x, &bits, sizeof bits);
    return *x >= 0 && *x <= value_most; /* neither holds for what is no number */
}

static bool take_u32_varint(struct slice *rest, uint32_t *v) {
    uint64_t wide;
    return take_varint(rest, &wide) && wide <= UINT32_MAX && (*v = (uint32_t)wide, true);
}

bool note_to_event(const struct note *n, struct buf *detail, struct event *e) {
    buf_reset(detail);
    buf_put_u8(detail, VERSION);
    buf_put_u8(detail, (uint8_t)n->what);
    buf_put_bytes(detail, first(n->source, NOTE_NAME_MAX));
    if (n->what == NOTE_LIMIT) {
        buf_put_u8(detail, n->dimension);
        buf_put_u8(detail, n->cause);
        put_value(detail, n->from);
        put_value(detail, n->to);
        buf_put_varint(detail, n->changes ? n->changes : 1);
    } else {
        buf_put_u8(detail, n->act);
        buf_put_varint(detail, n->campaign);
        buf_put_bytes(detail, first(n->scope, NOTE_SCOPE_MAX));
        buf_put_bytes(detail, first(n->by, NOTE_NAME_MAX));
        buf_put_varint(detail, n->touched);
    }
    *e = (struct event){.kind = EVENT_NOTE,
                        .at = n->at,
                        .code = n->code,
                        .provider = n->provider,
                        .text = n->words,
                        .detail = buf_slice(detail)};
    return !detail->failed;
}

static bool take_limit(struct slice *rest, struct note *n) {
    return take_u8(rest, &n->dimension) && take_u8(rest, &n->cause) && take_value(rest, &n->from) &&
           take_value(rest, &n->to) && take_u32_varint(rest, &n->changes) && n->changes > 0;
}

static bool take_hand(struct slice *rest, struct note *n) {
    return take_u8(rest, &n->act) && take_u32_varint(rest, &n->campaign) && take_bytes(rest, &n->scope) &&
           n->scope.len <= NOTE_SCOPE_MAX && take_bytes(rest, &n->by) && n->by.len <= NOTE_NAME_MAX &&
           take_varint(rest, &n->touched) && n->touched <= INT64_MAX;
}

bool note_from_event(const struct event *e, struct note *n) {
    struct slice rest = e->detail;
    uint8_t version, what;
    *n = (struct note){.at = e->at, .provider = e->provider, .code = e->code, .words = e->text};
    if (e->kind != EVENT_NOTE || !take_u8(&rest, &version) || version != VERSION || !take_u8(&rest, &what) ||
        !take_bytes(&rest, &n->source) || n->source.len > NOTE_NAME_MAX)
        return false;
    n->what = (enum note_what)what;
    bool whole = what == NOTE_LIMIT ? take_limit(&rest, n) : what == NOTE_HAND && take_hand(&rest, n);
    return whole && rest.len == 0;
}
