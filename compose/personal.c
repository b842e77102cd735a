/* Walks the path folder by folder, so that what a recipient's data say can't lead out. */
#include "personal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int complain(struct err *err, struct slice path, const char *what) {
    return err_set(err, ERR_INPUT, "the file '%.*s': %s", SLICE_ARG(path), what);
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
    struct stat st;
    if (fstat(fd, &st)) return errno;
    if (!S_ISREG(st.st_mode)) return EISDIR;
    if (st.st_size > PERSONAL_FILE_MAX) return EFBIG;
    size_t room = (size_t)st.st_size + 1, have = 0; /* one more shows that it grows */
    char *to = buf_room(out, room);
    if (!to) return ENOMEM;
    while (have < room) {
        ssize_t n = read(fd, to + have, room - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        have += (size_t)n;
    }
    if (have == room) return EBUSY;
    buf_grew(out, have);
    return 0;
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
    if (why == EISDIR) return complain(err, path, "it is not a regular file");
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
