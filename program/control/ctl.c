/* The control socket: accepting clients and serving them, one thread each. */
#include "ctl.h"

#include "ctl_answer.h"
#include "log.h"
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEER_TIMEOUT_S = 120 };

struct client {
    struct ctl *control;
    int fd;
    bool used;
    int stop; /* atomic; what it asked for looks at it */
};

struct ctl {
    int fd, lock_fd;
    char path[128];
    struct instance *instance;
    pthread_t thread;
    bool started;
    int stop; /* atomic */
    pthread_mutex_t lock;
    pthread_cond_t left;
    struct client clients[CTL_CLIENTS];
    unsigned count;
};

/* ---- who may ask ---- */

static bool in_group(int fd, gid_t group) {
    gid_t groups[256];
    socklen_t size = sizeof groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size)) return false;
    for (size_t i = 0; i < size / sizeof groups[0]; i++)
        if (groups[i] == group) return true;
    return false;
}

static bool may_ask(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) return false;
    return peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid() || in_group(fd, getegid());
}

/* ---- threads ---- */

static void leave(struct client *client) {
    struct ctl *c = client->control;
    pthread_mutex_lock(&c->lock);
    client->used = false;
    c->count--;
    pthread_cond_broadcast(&c->left);
    pthread_mutex_unlock(&c->lock);
}

static void *serve_client(void *arg) {
    struct client *client = arg;
    struct talk w;
    struct err err;
    struct ctl_asker asker = {client->control->instance, &w, &client->stop};
    talk_init(&w, client->fd, TALK_REQUEST_MAX);
    while (!__atomic_load_n(&client->control->stop, __ATOMIC_RELAXED)) {
        struct jdoc *request = talk_receive(&w, &err);
        if (!request && err.kind == ERR_INPUT) ctl_reply(&w, talk_refusal(&err));
        if (!request) break;
        int failed = ctl_reply(&w, ctl_answer(&asker, request));
        jdoc_free(request);
        while (w.fd_count)
            close(w.fds[--w.fd_count]);
        if (failed) break;
    }
    pthread_mutex_lock(&client->control->lock);
    talk_done(&w); /* under the lock: ctl_close may shut the descriptor down */
    client->fd = -1;
    pthread_mutex_unlock(&client->control->lock);
    log_flush();
    leave(client);
    return NULL;
}

static void refuse(int fd, enum err_kind kind, const char *text) {
    struct talk w;
    struct err err;
    talk_init(&w, fd, TALK_REQUEST_MAX);
    err_set(&err, kind, "%s", text);
    ctl_reply(&w, talk_refusal(&err));
    talk_done(&w);
}

static struct client *place_for(struct ctl *c, int fd) {
    for (int i = 0; i < CTL_CLIENTS; i++) {
        struct client *client = &c->clients[i];
        if (client->used) continue;
        *client = (struct client){c, fd, true, 0};
        c->count++;
        return client;
    }
    return NULL;
}

static void admit(struct ctl *c, int fd) {
    struct timeval timeout = {PEER_TIMEOUT_S, 0};
    pthread_t thread;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (!may_ask(fd)) {
        refuse(fd, ERR_INPUT, "only root, the server's user and members of its group are answered here");
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct client *client = place_for(c, fd);
    pthread_mutex_unlock(&c->lock);
    if (!client) {
        refuse(fd, ERR_BUSY, "too many clients at the control socket: try again");
        return;
    }
    if (pthread_create(&thread, NULL, serve_client, client)) {
        refuse(fd, ERR_BUSY, "no thread for another client");
        leave(client);
        return;
    }
    pthread_detach(thread);
}

static void *accept_clients(void *arg) {
    struct ctl *c = arg;
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            admit(c, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            usleep(20000); /* no descriptors, or it is closing */
    }
    return NULL;
}

/* ---- opening and closing ---- */

/* Held as long as the socket is there: of two servers that start at the same moment the second would else
 * take away what the first has just bound. The file stays; it says nothing by being there. */
static int take_lock(struct ctl *c, const char *path, struct err *err) {
    char name[sizeof c->path + 8];
    snprintf(name, sizeof name, "%s.lock", path);
    /* Not for others to read: whoever can open it could hold it, and no server would start any more. */
    c->lock_fd = open(name, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (c->lock_fd < 0) return err_errno(err, errno, "control.socket: %s", name);
    fchmod(c->lock_fd, 0600);
    if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return err_errno(err, errno, "control.socket: %s", name);
    return err_set(err, ERR_BUSY, "a server is running already, or starts just now: it holds %s", name);
}

static int bind_socket(struct ctl *c, const char *path, unsigned mode, struct err *err) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct talk w;
    if (strlen(path) >= sizeof addr.sun_path || strlen(path) >= sizeof c->path)
        return err_set(err, ERR_INPUT, "control.socket: %s: the path is too long", path);
    memcpy(addr.sun_path, path, strlen(path));
    if (talk_connect(&w, path, err) == 0) {
        talk_done(&w);
        return err_set(err, ERR_BUSY, "a server is running already: it answers at %s", path);
    }
    struct err seen = *err;
    if (take_lock(c, path, err)) return -1;
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return err_set(err, ERR_INPUT, "control.socket: %s is there and is no socket: nothing was done to it",
                       path);
    if (seen.kind == ERR_ABSENT) unlink(path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(~mode & 0777); /* no chmod: by then another could have put a link there */
    int failed = c->fd < 0 || bind(c->fd, (struct sockaddr *)&addr, sizeof addr);
    int why = errno;
    umask(before);
    if (failed) return err_errno(err, why, "control.socket: %s", path);
    memcpy(c->path, path, strlen(path) + 1);
    return listen(c->fd, 16) ? err_errno(err, errno, "control.socket: %s", path) : 0;
}

int ctl_give(struct ctl *c, unsigned uid, unsigned gid, struct err *err) {
    if (fchown(c->lock_fd, uid, gid) || lchown(c->path, uid, gid))
        return err_errno(err, errno, "control.socket: %s", c->path);
    return 0;
}

struct ctl *ctl_open(const char *path, unsigned mode, struct err *err) {
    struct ctl *c = calloc(1, sizeof *c);
    if (!c) return err_set(err, ERR_SYSTEM, "out of memory"), NULL;
    c->fd = c->lock_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->left, NULL);
    if (bind_socket(c, path, mode, err) == 0) return c;
    ctl_close(c);
    return NULL;
}

int ctl_start(struct ctl *c, struct instance *in, struct err *err) {
    c->instance = in;
    int failed = pthread_create(&c->thread, NULL, accept_clients, c);
    if (failed) return err_errno(err, failed, "the control socket");
    c->started = true;
    return 0;
}

void ctl_close(struct ctl *c) {
    if (!c) return;
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
    if (c->started) {
        shutdown(c->fd, SHUT_RDWR); /* wakes accept */
        pthread_join(c->thread, NULL);
        pthread_mutex_lock(&c->lock);
        for (int i = 0; i < CTL_CLIENTS; i++) {
            __atomic_store_n(&c->clients[i].stop, 1, __ATOMIC_RELAXED);
            if (c->clients[i].used && c->clients[i].fd >= 0) shutdown(c->clients[i].fd, SHUT_RDWR);
        }
        while (c->count)
            pthread_cond_wait(&c->left, &c->lock);
        pthread_mutex_unlock(&c->lock);
    }
    if (c->path[0]) unlink(c->path);
    if (c->fd >= 0) close(c->fd);
    if (c->lock_fd >= 0) close(c->lock_fd);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->left);
    free(c);
}
