/* Content and rejected rows on their way between two processes. */
#include "memfile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int memfile_open(const char *name, struct slice bytes, struct err *err) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) return err_errno(err, errno, "memory for %s", name);
    if (bytes.len && pwrite(fd, bytes.at, bytes.len, 0) != (ssize_t)bytes.len) {
        close(fd);
        return err_set(err, ERR_SYSTEM, "memory for %s", name);
    }
    return fd;
}

int memfile_save(int fd, const char *path, struct err *err) {
    char bytes[65536];
    off_t at = 0;
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return 0;
    FILE *to = fopen(path, "we");
    for (; to && n > 0; at += n, n = pread(fd, bytes, sizeof bytes, at))
        if (fwrite(bytes, 1, (size_t)n, to) != (size_t)n) break;
    int failed = !to || n != 0, why = errno;
    if (to && fclose(to)) failed = 1, why = errno;
    return failed ? err_errno(err, why, "%s", path) : 0;
}
