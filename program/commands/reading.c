/* Opening a store to read it, with or without a server at work. */
#include "reading.h"

#include "content.h"
#include "instance.h"

int reading_open(struct reading *r, const struct options *o, uint32_t only) {
    struct err err;
    *r = (struct reading){0};
    r->store = instance_store(o, true, &err);
    r->view = r->store ? view_open(r->store, &err) : NULL;
    if (r->view && view_begin(r->view, only, &err) == 0) return EXIT_DONE;
    reading_close(r);
    if (err.kind == ERR_ABSENT)
        return command_complain(EXIT_ABSENT,
                                "there is no store at %s (store.path): nothing was ever sent from there",
                                o->store.path);
    return command_fail(&err);
}

void reading_close(struct reading *r) {
    view_free(r->view);
    store_free(r->store);
    *r = (struct reading){0};
}

void reading_say_gap(const struct reading *r) {
    struct history_gap gap = view_gap(r->view);
    struct buf text;
    if (!gap.last) return;
    buf_init(&text, 512);
    history_gap_put_text(&gap, &text);
    command_complain(0, "note: %.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
}

const struct campaign_row *reading_campaign(struct reading *r, const char *name) {
    const struct campaign_row *row = view_campaign(r->view, slice_of(name));
    if (!row) command_complain(EXIT_ABSENT, "there is no campaign '%s' (`tsubame status` lists all)", name);
    return row;
}

/* As deliver/mail.c makes them: the configured domain, else that of the From address. */
void reading_identity(struct reading *r, const struct options *o, const struct campaign_row *row,
                      struct identity *id) {
    struct slice payload, domain = slice_of(o->identity.message_id_domain);
    struct arena arena;
    struct content content;
    struct address from;
    size_t keys;
    const struct rid_key *all = view_keys(r->view, &keys);
    *id = (struct identity){.tenant = row->tenant};
    arena_init(&arena, 16 << 20);
    bool read = view_payload(r->view, row, &payload, NULL) == 0 &&
                content_decode(payload, &arena, &content, NULL) == 0;
    if (read && !domain.len && address_parse(content.from, &arena, &from, NULL) == 0) domain = from.domain;
    id->shared = read && content.shared;
    if (keys && domain.len && domain.len < sizeof id->domain) {
        id->key = all[0];
        memcpy(id->domain, domain.at, domain.len);
        id->known = true;
    }
    arena_done(&arena);
}

void identity_put(const struct identity *id, uint64_t rid, struct buf *out) {
    char text[RID_TEXT_LEN];
    if (!id->known) return;
    rid_encode(&id->key, id->tenant, id->shared ? chunk_rid(rid_chunk(rid), 0) : rid, text);
    buf_put(out, text, sizeof text);
    buf_put_c(out, '@');
    buf_put_text(out, id->domain);
}
