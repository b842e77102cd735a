/* Shared mails: one content for everybody, so that one transaction can take many recipients. What could make
 * one recipient's mail another's is refused. */
#include "shared.h"

#include "content_inner.h"

/* "Staff:;", without quotes: an address list that names nobody (RFC 5322 section 3.4). */
static bool is_empty_group(struct slice to) {
    ptrdiff_t colon = slice_find(to, ':');
    if (colon <= 0 || !slice_eq(slice_trim(slice_skip(to, (size_t)colon + 1)), SLICE(";"))) return false;
    for (ptrdiff_t i = 0; i < colon; i++)
        if (!ascii_alpha(to.at[i]) && !ascii_digit(to.at[i]) && !memchr(" -_'", to.at[i], 4)) return false;
    return true;
}

int shared_to(const struct content *c, struct arena *arena, struct slice *name, struct address *address,
              struct err *err) {
    struct slice to = slice_trim(c->to), text;
    *address = (struct address){0};
    *name = to.len ? to : SLICE("undisclosed-recipients:;");
    if (is_empty_group(*name)) return 0;
    if (!content_split_mailbox(to, arena, name, &text))
        return err_set(err, ERR_INPUT, "to: expected \"Name <address>\", \"address\" or \"Name:;\"");
    return address_parse_ascii(text, arena, address, err) ? err_wrap(err, "to") : 0;
}

int shared_check(const struct content *c, struct err *err) {
    struct arena arena;
    struct slice name;
    struct address address;
    if (!c->shared && c->to.len)
        return err_set(err, ERR_INPUT,
                       "to: only a mail that says shared: true has it; else To is the recipient");
    if (!c->shared) return 0;
    if (c->to_name.len)
        return err_set(err, ERR_INPUT,
                       "to_name: a shared mail names no recipient; its To is what the key 'to' says");
    for (size_t i = 0; i < c->file_count; i++)
        if (c->files[i].path.len)
            return err_set(err, ERR_INPUT, "attachments, file %zu: a shared mail can't have personal files",
                           i + 1);
    arena_init(&arena, 64 * 1024);
    int failed = shared_to(c, &arena, &name, &address, err);
    arena_done(&arena);
    return failed;
}

/* ---- variables ---- */

static const struct path *path_of(const struct operand *o) {
    return o->kind == OPERAND_PATH ? o->path : NULL;
}

static const struct path *path_of_call(const struct call *call) {
    const struct path *path = path_of(&call->context);
    for (uint32_t i = 0; i < call->setting_count && !path; i++)
        path = path_of(&call->settings[i].value);
    return path;
}

int shared_check_script(const struct script *s, const char *part, struct err *err) {
    for (uint32_t i = 0; i < s->count; i++) {
        const struct step *step = &s->steps[i];
        const struct path *path = path_of(&step->a);
        if (!path) path = path_of(&step->b);
        if (!path && step->kind == STEP_CALL) path = path_of_call(step->call);
        if (path)
            return place_fail(path->place, err, "{{%.*s}}: a shared mail is the same for everybody",
                              path->text.len > 60 ? 60 : (int)path->text.len, path->text.at);
        if (step->kind == STEP_LOOKUP || step->kind == STEP_WITH || step->kind == STEP_EACH)
            return err_set(err, ERR_INPUT,
                           "%s: a shared mail is the same for everybody: no with, each or lookup", part);
    }
    return 0;
}
