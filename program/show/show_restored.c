/* What people are told of a store that was made from a backup. */
#include "show.h"

#include "restored.h"
#include "units.h"

static int read_row(struct store *store, struct restored *r) {
    struct err ignored;
    struct store_reader *reader = store_reader_open(store, &ignored);
    int found = reader && store_read_begin(reader, &ignored) == 0 ? restored_get(reader, r, &ignored) : -1;
    store_reader_free(reader);
    return found;
}

/* Why campaigns are held: a sentence, when any of them still is. False: nothing was put. */
static bool put_note(struct buf *out, struct store *store, const struct campaign_status *all, size_t count) {
    struct restored r;
    bool any = false;
    if (read_row(store, &r) != 1) return false;
    for (size_t i = 0; i < count; i++) {
        if (all[i].state != CAMPAIGN_HELD || !restored_holds(&r, all[i].id)) continue;
        if (!any) {
            buf_put_text(out, "restored from the backup of ");
            units_put_time(out, r.taken / US_PER_SEC * US_PER_SEC);
            buf_put_text(
                out, ": what was sent after it is not known here, so these are held until you resume them: ");
        }
        buf_printf(out, "%s%u (%s)", any ? ", " : "", all[i].id, all[i].name);
        any = true;
    }
    return any;
}

void show_restored(struct buf *out, struct store *store, const struct campaign_status *all, size_t count,
                   bool colour) {
    struct buf text;
    buf_init(&text, 1 << 20);
    if (put_note(&text, store, all, count)) {
        buf_printf(out, "%sNote:%s ", show_red(colour), show_plain(colour));
        show_text(out, buf_slice(&text));
        buf_put_text(out, ".\n");
    }
    buf_done(&text);
}

void show_restored_json(struct jdoc *list, struct store *store, const struct campaign_status *all,
                        size_t count) {
    struct buf text;
    buf_init(&text, 1 << 20);
    if (put_note(&text, store, all, count)) jdoc_item_text(list, buf_slice(&text));
    buf_done(&text);
}
