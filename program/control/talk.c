/* Lines of JSON over a Unix socket. */
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void talk_init(struct talk *w, int fd, size_t most) {
    *w = (struct talk){.fd = fd};
    buf_init(&w->in, most);
}

void talk_done(struct talk *w) {
    if (w->fd >= 0) close(w->fd);
    for (unsigned i = 0; i < w->fd_count; i++)
        close(w->fds[i]);
    buf_done(&w->in);
    *w = (struct talk){.fd = -1};
}

int talk_connect(struct talk *w, const char *path, struct err *err) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    *w = (struct talk){.fd = -1};
    if (strlen(path) >= sizeof addr.sun_path)
        return err_set(err, ERR_INPUT, "%s: the path is too long", path);
    memcpy(addr.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_errno(err, errno, "a socket");
    const struct timeval most = {10, 0}, none = {0, 0}; /* also of connect, where the backlog is full */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
        talk_init(w, fd, TALK_LINE_MAX);
        return 0;
    }
    int why = errno;
    close(fd);
    if (why == EAGAIN) return err_set(err, ERR_BUSY, "the server at %s does not answer", path);
    if (why == ENOENT || why == ECONNREFUSED || why == ENOTDIR)
        return err_set(err, ERR_ABSENT, "no server is at %s", path);
    return err_errno(err, why, "%s", path);
}

static int send_all(struct talk *w, struct slice bytes, const int *fds, unsigned count, struct err *err) {
    union {
        char room[CMSG_SPACE(sizeof(int) * TALK_FDS)];
        struct cmsghdr align;
    } control = {{0}};
    while (bytes.len) {
        struct iovec iov = {(char *)(uintptr_t)bytes.at, bytes.len};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        if (count) {
            msg.msg_control = control.room;
            msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
            struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * count);
            memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
        }
        ssize_t n = sendmsg(w->fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, errno, "the control socket");
        bytes = slice_skip(bytes, (size_t)n);
        count = 0; /* they went with the first bytes */
    }
    return 0;
}

int talk_send(struct talk *w, const struct jdoc *object, const int *fds, unsigned count, struct err *err) {
    struct buf line;
    buf_init(&line, TALK_LINE_MAX);
    int failed = jdoc_write(object, false, &line)
                     ? send_all(w, buf_slice(&line), fds, count, err)
                     : err_set(err, ERR_INPUT, "longer than %d MB: ask for less", TALK_LINE_MAX >> 20);
    buf_done(&line);
    return failed;
}

static void keep_fds(struct talk *w, struct msghdr *msg) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (w->fd_count < TALK_FDS)
                w->fds[w->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* More bytes behind what is there. -1 with err, ERR_ABSENT at the end. */
static int receive_more(struct talk *w, struct err *err) {
    union {
        char room[CMSG_SPACE(sizeof(int) * TALK_FDS)];
        struct cmsghdr align;
    } control;
    char bytes[16384];
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(w->fd, &msg, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) return 0;
    if (n < 0) return err_errno(err, errno, "the control socket");
    keep_fds(w, &msg);
    if (n == 0) return err_set(err, ERR_ABSENT, "the other side closed the control socket");
    return buf_put(&w->in, bytes, (size_t)n)
               ? 0
               : err_set(err, ERR_INPUT, "a line longer than %zu bytes", w->in.max);
}

struct jdoc *talk_receive(struct talk *w, struct err *err) {
    size_t looked = 0;
    for (;;) {
        struct slice s = buf_slice(&w->in);
        ptrdiff_t end = slice_find(slice_skip(s, looked), '\n');
        if (end >= 0) {
            size_t n = looked + (size_t)end;
            struct jdoc *object = jdoc_parse(slice_make(s.at, n), err);
            buf_drop_front(&w->in, n + 1);
            return object;
        }
        looked = s.len;
        if (receive_more(w, err)) return NULL;
    }
}

struct jdoc *talk_ask(struct talk *w, const struct jdoc *request, const int *fds, unsigned count,
                      void (*progress)(void *ctx, const struct jdoc *reply), void *ctx, struct err *err) {
    if (talk_send(w, request, fds, count, err)) return NULL;
    for (;;) {
        struct jdoc *reply = talk_receive(w, err);
        if (!reply) return NULL;
        if (jdoc_bool(reply, "ok", false)) return reply;
        if (!jdoc_bool(reply, "more", false)) {
            talk_take_refusal(reply, err);
            jdoc_free(reply);
            return NULL;
        }
        if (progress) progress(ctx, reply);
        jdoc_free(reply);
    }
}

void talk_take_refusal(const struct jdoc *reply, struct err *err) {
    int64_t kind = jdoc_number(reply, "kind", ERR_SYSTEM);
    struct slice text = jdoc_text(reply, "error");
    err_set(err, kind >= ERR_INPUT && kind <= ERR_ABSENT ? (enum err_kind)kind : ERR_SYSTEM, "%.*s",
            SLICE_ARG(text));
}

struct jdoc *talk_refusal(const struct err *err) {
    struct jdoc *reply = jdoc_object();
    jdoc_put_bool(reply, "ok", false);
    jdoc_put_number(reply, "kind", err->kind);
    jdoc_put_text(reply, "error", slice_of(err->text));
    return reply;
}
