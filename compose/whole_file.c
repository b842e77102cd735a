#include "whole_file.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

int whole_file_size(int fd, size_t most, size_t *size) {
    struct stat st;
    if (fstat(fd, &st)) return errno;
    if (!S_ISREG(st.st_mode)) return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    *size = (size_t)st.st_size;
    return (uint64_t)st.st_size > most ? EFBIG : 0;
}

int whole_file_read(int fd, char *to, size_t size) {
    size_t have = 0;
    while (have <= size) { /* one more shows that it grows */
        ssize_t n = read(fd, to + have, size + 1 - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        have += (size_t)n;
    }
    return have == size ? 0 : EBUSY;
}
