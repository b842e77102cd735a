/* Files are written in tmp and renamed into new, so that a reader of new sees whole mails only. */
#include "sim_keep.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX = 4096 };

struct sim_keep {
    struct sim_observer observer; /* first */
    int tmp, new;
    uint64_t count;
};

static void put_header(struct buf *b, const struct sim_mail *m, struct slice rcpt) {
    char host[256], date[CLOCK_TEXT_MAX];
    size_t len = sim_host_name(m->host, host);
    clock_rfc5322(m->real, date);
    buf_printf(b, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", SLICE_ARG(m->from), SLICE_ARG(rcpt));
    buf_printf(b, "Received: from [%u.%u.%u.%u]\r\n by %.*s with %s; %s\r\n", m->client >> 24,
               m->client >> 16 & 255, m->client >> 8 & 255, m->client & 255, (int)len, host,
               m->secure ? "ESMTPS" : "ESMTP", date);
}

static bool write_all(int fd, struct slice s) {
    while (s.len) {
        ssize_t n = write(fd, s.at, s.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        s = slice_skip(s, (size_t)n);
    }
    return true;
}

static int keep_one(struct sim_keep *k, const struct sim_mail *m, struct slice rcpt, struct err *err) {
    char name[64];
    struct buf header;
    snprintf(name, sizeof name, "%lld.P%dQ%llu.sim", (long long)(m->real / US_PER_SEC), (int)getpid(),
             (unsigned long long)++k->count);
    int fd = openat(k->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return err_errno(err, errno, "--keep-mail: tmp/%s", name);
    buf_init(&header, HEADER_MAX);
    put_header(&header, m, rcpt);
    bool ok = !header.failed && write_all(fd, buf_slice(&header)) && write_all(fd, m->content);
    buf_done(&header);
    if (close(fd) < 0 || !ok || renameat(k->tmp, name, k->new, name) < 0)
        return err_errno(err, errno, "--keep-mail: %s", name);
    return 0;
}

static int accepted(struct sim_observer *o, const struct sim_mail *mail, struct err *err) {
    for (uint32_t i = 0; i < mail->rcpts; i++)
        if (keep_one((struct sim_keep *)o, mail, mail->rcpt[i], err)) return -1;
    return 0;
}

static int open_folder(int at, const char *name, const char *path, struct err *err) {
    if (mkdirat(at, name, 0755) < 0 && errno != EEXIST) return err_errno(err, errno, "%s/%s", path, name);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_errno(err, errno, "%s/%s", path, name) : fd;
}

struct sim_keep *sim_keep_open(const char *path, struct err *err) {
    struct sim_keep *k = calloc(1, sizeof *k);
    if (!k) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    *k = (struct sim_keep){{true, accepted, NULL}, -1, -1, 0};
    int at = open_folder(AT_FDCWD, path, ".", err);
    int cur = at < 0 ? -1 : open_folder(at, "cur", path, err);
    if (cur >= 0) k->tmp = open_folder(at, "tmp", path, err);
    if (k->tmp >= 0) k->new = open_folder(at, "new", path, err);
    if (at >= 0) close(at);
    if (cur >= 0) close(cur);
    if (k->new >= 0) return k;
    sim_keep_free(k);
    return NULL;
}

struct sim_observer *sim_keep_observer(struct sim_keep *k) {
    return &k->observer;
}

void sim_keep_free(struct sim_keep *k) {
    if (!k) return;
    if (k->tmp >= 0) close(k->tmp);
    if (k->new >= 0) close(k->new);
    free(k);
}
