/* Reading secrets. */
#include "secret.h"

#include "slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MOST = 4096 };

static ssize_t read_all(int fd, char *to, size_t room) {
    size_t have = 0;
    ssize_t n = 1;
    while (have < room && n != 0) {
        n = read(fd, to + have, room - have);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) have += (size_t)n;
    }
    return (ssize_t)have;
}

static char *first_line(const char *path, const char *text, size_t n, size_t most, struct err *err) {
    struct slice rest = slice_make(text, n), line;
    bool any = slice_cut(&rest, '\n', &line);
    if (any && line.len && line.at[line.len - 1] == '\r') line.len--;
    if (!any || line.len == 0 || line.len > most || slice_find(line, '\0') >= 0) {
        err_set(err, ERR_INPUT, "%s: expected a line of 1 to %zu bytes", path, most);
        return NULL;
    }
    char *secret = strndup(line.at, line.len);
    if (!secret) err_set(err, ERR_SYSTEM, "out of memory");
    return secret;
}

char *secret_read(const char *path, size_t most, struct err *err) {
    char text[READ_MOST];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read_all(fd, text, sizeof text);
    if (n < 0) err_errno(err, errno, "%s", path);
    if (fd >= 0) close(fd);
    char *secret = n < 0 ? NULL : first_line(path, text, (size_t)n, most, err);
    explicit_bzero(text, sizeof text);
    return secret;
}

void secret_free(char *secret) {
    if (secret) explicit_bzero(secret, strlen(secret));
    free(secret);
}
