/* One recipient's mail: identity, rendering, signature. A pure function of the window's item and the
 * campaign's content, save for the signature's time. */
#include "chunk_table.h"
#include "personal.h"
#include "worker.h"

enum { MESSAGE_ID_MAX = RID_TEXT_LEN + 1 + 255 };

struct slice mail_address(const struct window *window, unsigned index) {
    return chunk_table_address(window->table, window->items[index].slot);
}

/* A shared mail has one identity for all of its chunk: that of the first slot. */
static uint64_t rid_of(const struct window *window, unsigned index) {
    return chunk_rid(window->chunk_id, window->content->shared ? 0 : window->items[index].slot);
}

/* "rid@domain", NUL not counted. */
static struct slice identity(struct worker *w, const struct window *window, unsigned index,
                             struct slice domain, char *out, size_t room) {
    if (RID_TEXT_LEN + 1 + domain.len > room) domain.len = room - RID_TEXT_LEN - 1;
    rid_encode(w->rid_key, window->tenant, rid_of(window, index), out);
    out[RID_TEXT_LEN] = '@';
    memcpy(out + RID_TEXT_LEN + 1, domain.at, domain.len);
    return slice_make(out, RID_TEXT_LEN + 1 + domain.len);
}

struct slice mail_return_path(struct worker *w, const struct window *window, unsigned index,
                              char out[RETURN_PATH_MAX]) {
    if (!w->options->return_path_domain) return template_from(window->content->template)->text;
    return identity(w, window, index, slice_of(w->options->return_path_domain), out, RETURN_PATH_MAX);
}

int mail_render(struct worker *w, const struct window *window, unsigned index, struct buf *out,
                struct err *err) {
    char id[MESSAGE_ID_MAX];
    struct slice values[CHUNK_COLUMNS_MAX];
    unsigned slot = window->items[index].slot;
    const struct campaign_content *content = window->content;
    const char *domain = w->options->message_id_domain;
    struct slice at = domain ? slice_of(domain) : template_from(content->template)->domain;
    for (size_t i = 0; i < content->column_count; i++)
        values[i] = chunk_table_value(window->table, slot, (unsigned)i);
    struct render_input input = {.to = mail_address(window, index),
                                 .values = values,
                                 .value_count = content->column_count,
                                 .message_id = identity(w, window, index, at, id, sizeof id),
                                 .date = window->date,
                                 .file = personal_file,
                                 .file_ctx = (void *)(uintptr_t)&w->options->personal_folder};
    return render_mail(&w->renderer, content->template, &input, out, err);
}

int mail_sign(struct worker *w, const struct window *window, const struct buf *mail, struct buf *out,
              struct err *err) {
    const struct campaign_content *content = window->content;
    struct slice from = template_from(content->template)->domain;
    if (signing_put(&w->signing, from, buf_slice(mail), content->prefix, content->prefix_len, clock_wall(),
                    out, err))
        return -1;
    return buf_put_slice(out, buf_slice(mail)) ? 0 : err_set(err, ERR_INPUT, "the mail is too large");
}
