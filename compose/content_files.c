/* Content: the files that it names, read from the folder of the template's file. */
#include "content_inner.h"

#include "media_type.h"
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_LIMIT = 4096 };

/* All of fd, into the arena: 0 or an errno. */
static int read_all(int fd, size_t most, struct arena *arena, struct slice *out) {
    size_t size;
    int errnum = whole_file_size(fd, most, &size);
    if (errnum) return errnum;
    char *bytes = arena_alloc(arena, size + 1);
    if (!bytes) return ENOMEM;
    *out = slice_make(bytes, size);
    return whole_file_read(fd, bytes, size);
}

static int complain_of_size(const struct content_reader *r, const struct yaml *node, size_t most) {
    char what[80];
    snprintf(what, sizeof what, "the file is larger than %zu MB", most >> 20);
    return content_complain(r, node, what);
}

int content_read_file(const struct content_reader *r, const struct yaml *node, size_t most,
                      struct slice *bytes) {
    char path[PATH_LIMIT];
    if (content_need_text(r, node, true)) return -1;
    if (!r->folder) return content_complain(r, node, "files can't be named here");
    bool absolute = node->text.len && node->text.at[0] == '/';
    int n = snprintf(path, sizeof path, "%s%s%.*s", absolute ? "" : r->folder, absolute ? "" : "/",
                     SLICE_ARG(node->text));
    if (n < 0 || n >= PATH_LIMIT) return content_complain(r, node, "the path is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    int errnum = fd < 0 ? errno : read_all(fd, most, r->arena, bytes);
    if (fd >= 0) close(fd);
    if (errnum == EFBIG) return complain_of_size(r, node, most);
    return errnum ? content_complain_errno(r, node, errnum, path) : 0;
}

static struct slice base_name(struct slice path) {
    const char *slash = path.len ? memrchr(path.at, '/', path.len) : NULL;
    return slash ? slice_skip(path, (size_t)(slash + 1 - path.at)) : path;
}

static int read_bytes(struct content_reader *r, const struct yaml *node, struct content_file *f) {
    if (content_read_file(r, node, CONTENT_FILE_MAX, &f->bytes)) return -1;
    r->file_bytes += f->bytes.len;
    if (r->file_bytes > CONTENT_FILE_MAX)
        return content_complain(r, node, "the attached files are larger than 25 MB together");
    if (f->name.len == 0) f->name = base_name(node->text);
    return 0;
}

static int read_file_key(struct content_reader *r, const struct yaml *node, struct content_file *f) {
    bool name = slice_eq(node->key, SLICE("name")), type = slice_eq(node->key, SLICE("type"));
    bool cid = f->is_inline && slice_eq(node->key, SLICE("cid"));
    bool personal = !f->is_inline && slice_eq(node->key, SLICE("personal"));
    if (slice_eq(node->key, SLICE("file"))) return content_need_text(r, node, true);
    if (!name && !type && !cid && !personal)
        return content_complain(r, node,
                                f->is_inline ? "unknown key (known are file, cid, name, type)"
                                             : "unknown key (known are file, personal, name, type)");
    if (content_need_text(r, node, true)) return -1;
    *(name ? &f->name : type ? &f->type : cid ? &f->cid : &f->path) = node->text;
    return 0;
}

/* A file's name alone, or a map. */
static int read_file(struct content_reader *r, const struct yaml *node, struct content_file *f) {
    const struct yaml *file = node;
    if (node->kind == YAML_MAP) {
        for (const struct yaml *key = node->first; key; key = key->next)
            if (read_file_key(r, key, f)) return -1;
        file = yaml_get(node, "file");
        if ((file != NULL) == (f->path.len > 0))
            return content_complain(r, node,
                                    f->is_inline ? "the key 'file' is required"
                                                 : "one of the keys 'file' and 'personal' is required");
    }
    if (file && read_bytes(r, file, f)) return -1;
    if (f->name.len == 0) f->name = base_name(f->path);
    if (f->type.len == 0) f->type = media_type_of(f->name);
    if (f->is_inline && f->cid.len == 0) f->cid = f->name;
    const char *fault = content_file_fault(f);
    return fault ? content_complain(r, node, fault) : 0;
}

int content_read_files(struct content_reader *r, const struct yaml *list, bool is_inline) {
    struct content *c = r->out;
    if (list->kind != YAML_LIST) return content_complain(r, list, "a list of files is expected here");
    if (list->count + c->file_count > CONTENT_FILES_MAX)
        return content_complain(r, list, "more than 64 files are too many");
    struct content_file *files = arena_zalloc(r->arena, (list->count + c->file_count + 1) * sizeof *files);
    if (!files) return err_set(r->err, ERR_SYSTEM, "%s: no memory", r->name);
    for (size_t i = 0; i < c->file_count; i++)
        files[i] = c->files[i];
    c->files = files;
    for (const struct yaml *node = list->first; node; node = node->next) {
        struct content_file *f = &files[c->file_count++];
        f->is_inline = is_inline;
        if (read_file(r, node, f)) return -1;
    }
    return 0;
}
