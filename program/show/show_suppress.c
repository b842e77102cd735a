/* Rows of the suppression list as text and JSON. What receivers said is never written to a terminal raw. */
#include "show_suppress.h"

#include "classify.h"
#include "rid.h"
#include "show.h"

#include <stdio.h>

static void put_time(struct buf *out, wall_us at) {
    char text[CLOCK_TEXT_MAX];
    buf_put(out, text, (size_t)clock_rfc3339(at, text));
}

static void json_proof(struct jdoc *o, const struct suppress_proof *p) {
    char text[24];
    jdoc_put_text(o, "class", slice_of(p->class ? classify_name(p->class) : ""));
    jdoc_put_number(o, "code", p->code);
    int n = p->enhanced[0]
                ? snprintf(text, sizeof text, "%u.%u.%u", p->enhanced[0], p->enhanced[1], p->enhanced[2])
                : 0;
    jdoc_put_text(o, "enhanced", slice_make(text, (size_t)n));
    jdoc_put_text(o, "host", p->host);
    jdoc_put_text(o, "text", p->text);
    jdoc_put_number(o, "campaign", chunk_campaign(rid_chunk(p->rid)));
    jdoc_put_number(o, "rid", (int64_t)p->rid);
}

void show_suppress_json(struct jdoc *o, struct slice address, const struct suppress_row *row) {
    char text[CLOCK_TEXT_MAX];
    jdoc_put_text(o, "address", address);
    jdoc_put_text(o, "reason", slice_of(suppress_reason_name(row->reason)));
    jdoc_put_text(o, "since", slice_make(text, (size_t)clock_rfc3339(row->at, text)));
    jdoc_put_text(o, "source", slice_of(suppress_source_name(row->source)));
    jdoc_put_text(o, "note", row->note);
    jdoc_put_number(o, "failures", row->failures);
    json_proof(o, &row->proof);
}

void show_suppress_line(struct buf *out, struct slice address, const struct suppress_row *row) {
    struct buf words;
    size_t start = out->len;
    buf_init(&words, 4096);
    show_text(out, address);
    buf_printf(out, "%*s %-11s ", out->len - start < 40 ? (int)(40 - (out->len - start)) : 0, "",
               suppress_reason_name(row->reason));
    put_time(out, row->at);
    buf_printf(out, " %-9s ", suppress_source_name(row->source));
    suppress_put_words(&words, &row->proof);
    show_text(out, buf_slice(&words));
    if (row->note.len) {
        if (words.len) buf_put_text(out, "; ");
        show_text(out, row->note);
    }
    buf_put_c(out, '\n');
    buf_done(&words);
}

static void put_proof(struct buf *out, const struct suppress_proof *p) {
    struct buf words;
    buf_init(&words, 4096);
    suppress_put_words(&words, p);
    if (words.len) {
        buf_put_text(out, "    ");
        show_text(out, buf_slice(&words));
        buf_put_c(out, '\n');
    }
    if (p->host.len) {
        buf_put_text(out, "    said by ");
        show_text(out, p->host);
        if (p->rid) buf_printf(out, " to campaign %u", chunk_campaign(rid_chunk(p->rid)));
        buf_put_c(out, '\n');
    }
    buf_done(&words);
}

static void put_failures(struct buf *out, unsigned failures) {
    if (failures) buf_printf(out, "    %u failure%s in a row\n", failures, failures == 1 ? "" : "s");
}

void show_suppress(struct buf *out, struct slice address, const struct suppressed *found) {
    show_text(out, address);
    if (!found->listed) {
        buf_put_text(out, " is not on the suppression list\n");
        if (!found->counted) return;
        put_failures(out, found->count.failures);
        buf_put_text(out, "    the last one ");
        put_time(out, found->count.at);
        buf_put_c(out, '\n');
        put_proof(out, &found->count.proof);
        return;
    }
    buf_printf(out, " is on the suppression list: %s\n    since ", suppress_reason_name(found->row.reason));
    put_time(out, found->row.at);
    buf_printf(out, ", by %s\n", suppress_source_name(found->row.source));
    if (found->row.failures > 1) put_failures(out, found->row.failures);
    put_proof(out, &found->row.proof);
    if (!found->row.note.len) return;
    buf_put_text(out, "    note: ");
    show_text(out, found->row.note);
    buf_put_c(out, '\n');
}
