/* Walks the path folder by folder, so that what a recipient's data say can't lead out. */
#include "personal.h"

#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PATH_SHOWN = 200 };

/* Of a long path the beginning: what is wrong has to fit in as well. */
static int complain(struct err *err, struct slice path, const char *what) {
    bool shown = path.len <= PATH_SHOWN;
    return err_set(err, ERR_INPUT, "the file '%.*s%s': %s", shown ? (int)path.len : PATH_SHOWN, path.at,
                   shown ? "" : "...", what);
}

/* One step down; closes `at` unless it is the folder that the caller owns. A descriptor, or -1 with errno. */
static int step(int folder, int at, struct slice name, bool last) {
    char text[256];
    int fd = -1;
    errno = ENAMETOOLONG;
    if (name.len < sizeof text) {
        memcpy(text, name.at, name.len);
        text[name.len] = 0;
        fd = openat(at, text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY));
    }
    int why = errno;
    if (at != folder) close(at);
    errno = why;
    return fd;
}

static int walk(int folder, struct slice path, struct err *err) {
    struct slice rest = path, name;
    int at = folder;
    while (slice_cut(&rest, '/', &name)) {
        if (name.len == 0 || slice_eq(name, SLICE(".")) || slice_eq(name, SLICE(".."))) {
            if (at != folder) close(at);
            return complain(err, path, "a path below the folder of personal files is expected");
        }
        at = step(folder, at, name, rest.at == NULL);
        if (at < 0 && errno == ELOOP) return complain(err, path, "it leads through a symbolic link");
        if (at < 0) return complain(err, path, errno == ENOENT ? "there is no such file" : strerror(errno));
    }
    return at;
}

static int read_all(int fd, struct buf *out) {
    size_t size;
    int errnum = whole_file_size(fd, PERSONAL_FILE_MAX, &size);
    if (errnum) return errnum;
    char *to = buf_room(out, size + 1);
    if (!to) return ENOMEM;
    errnum = whole_file_read(fd, to, size);
    if (errnum == 0) buf_grew(out, size);
    return errnum;
}

int personal_read(int folder, struct slice path, struct buf *out, struct err *err) {
    if (folder < 0)
        return complain(err, path, "no folder of personal files is configured (attachments.folder)");
    if (path.len == 0 || path.len > PERSONAL_PATH_MAX || memchr(path.at, 0, path.len))
        return complain(err, path, "a path of 1 to 1,024 bytes is expected");
    int fd = walk(folder, path, err);
    if (fd < 0) return -1;
    int why = read_all(fd, out);
    close(fd);
    if (why == EISDIR || why == EINVAL) return complain(err, path, "it is not a regular file");
    if (why == EFBIG) return complain(err, path, "it is larger than 25 MB");
    if (why == EBUSY) return complain(err, path, "it is being written");
    return why ? complain(err, path, strerror(why)) : 0;
}

int personal_file(void *folder, struct slice path, struct buf *out, struct err *err) {
    return personal_read(*(const int *)folder, path, out, err);
}

int personal_folder(const char *path, int *folder, struct err *err) {
    *folder = -1;
    if (!path) return 0;
    *folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *folder < 0 ? err_errno(err, errno, "attachments.folder: %s", path) : 0;
}
