/* Room on the disk: a file of real blocks that is given up when outcomes must be committed and nothing else
 * is left, and taken again once there is room. While it is gone, or less than its size is free beside it,
 * intake is refused: what has been sent can always be written down. */
#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char RESERVE_NAME[] = "reserve";

bool space_reserve_held(const struct store *s) {
    return __atomic_load_n(&s->reserve_held, __ATOMIC_ACQUIRE);
}

static uint64_t free_bytes(const struct store *s) {
    struct statvfs fs;
    if (fstatvfs(s->dir_fd, &fs) < 0) return 0;
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static bool reserve_is_there(int fd, uint64_t want) {
    struct stat st;
    return fstat(fd, &st) == 0 && (uint64_t)st.st_size == want && (uint64_t)st.st_blocks * 512 >= want;
}

void space_reserve_take(struct store *s) {
    int fd = openat(s->dir_fd, RESERVE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    bool held = reserve_is_there(fd, s->reserve);
    if (!held && free_bytes(s) >= 2 * s->reserve)
        held = ftruncate(fd, 0) == 0 && posix_fallocate(fd, 0, (off_t)s->reserve) == 0;
    if (!held) (void)!ftruncate(fd, 0); /* a half of it would only stand in the way */
    close(fd);
    __atomic_store_n(&s->reserve_held, held, __ATOMIC_RELEASE);
}

void space_reserve_give(struct store *s) {
    __atomic_store_n(&s->reserve_held, false, __ATOMIC_RELEASE);
    int fd = openat(s->dir_fd, RESERVE_NAME, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    (void)!ftruncate(fd, 0);
    close(fd);
}

int store_check_room(struct store *s, struct err *err) {
    uint64_t left = free_bytes(s);
    if ((s->read_only || space_reserve_held(s)) && left >= s->reserve) return 0;
    return err_set(
        err, ERR_SPACE,
        "the disk of %s is nearly full (%llu MB free, %llu MB are kept for outcomes): nothing new is "
        "taken in until there is room",
        s->dir, (unsigned long long)(left >> 20), (unsigned long long)(s->reserve >> 20));
}
