/* sim-blast HOST PORT N: a bare pipelined sender without queue, ledger or rendering. It measures what the
 * simulator takes, and it is the reference for what sending costs at the least: 4 KB in plain text, 100
 * messages a session, each content in one write together with the next message's envelope. */
#include "slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONTENT = 4096, PER_SESSION = 100, CONNS_MAX = 512 };

struct conn {
    int fd;
    unsigned left;   /* messages not yet begun in this session */
    unsigned expect; /* replies until the next write */
    enum { GREETING, HELLO, SENDING, LAST, QUITTING } phase;
};

static struct {
    struct sockaddr_in to;
    const char *domain;
    uint64_t n, begun, delivered, refused, running;
    int epoll;
    char content[CONTENT + 64];
    size_t content_len;
} blast;

static void make_content(void) {
    static const char head[] = "From: blast@sender.test\r\nSubject: a message of four kilobytes\r\n"
                               "Message-ID: <blast@sender.test>\r\n\r\n";
    char *to = blast.content;
    size_t len = sizeof head - 1;
    memcpy(to, head, len);
    while (len < CONTENT) {
        size_t line = CONTENT - len > 74 ? 72 : CONTENT - len > 2 ? CONTENT - len - 2 : 0;
        memset(to + len, 'a' + (int)(len % 26), line);
        len += line;
        memcpy(to + len, "\r\n", 2);
        len += 2;
    }
    memcpy(to + len, ".\r\n", 3);
    blast.content_len = len + 3;
}

static void fail(const char *what) {
    fprintf(stderr, "sim-blast: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_conn(struct conn *c) {
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;
    uint64_t left = blast.n - blast.begun;
    *c = (struct conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .phase = GREETING, .expect = 1};
    c->left = left < PER_SESSION ? (unsigned)left : PER_SESSION;
    blast.begun += c->left;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&blast.to, sizeof blast.to) < 0) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(blast.epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        fail("epoll");
    blast.running++;
}

/* The next envelope, behind the content of the message under way if there is one. */
static void send_next(struct conn *c, bool content) {
    char out[CONTENT + 512];
    size_t len = 0;
    if (content) {
        memcpy(out, blast.content, blast.content_len);
        len = blast.content_len;
    }
    int n = 0;
    if (c->left)
        n = snprintf(out + len, sizeof out - len,
                     "MAIL FROM:<blast@sender.test> SIZE=%zu\r\nRCPT TO:<user%llu.%u@%s>\r\nDATA\r\n",
                     blast.content_len, (unsigned long long)blast.begun, c->left, blast.domain);
    c->expect = c->left ? 3u + content : content;
    c->phase = c->left ? SENDING : LAST;
    if (c->left) c->left--;
    len += (size_t)(n > 0 ? n : 0);
    if (send(c->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len) fail("send");
}

static void finish(struct conn *c) {
    close(c->fd);
    blast.running--;
    if (blast.begun < blast.n) open_conn(c);
}

static void take_reply(struct conn *c, char first) {
    if (c->expect == 0 || --c->expect > 0) {
        if (c->phase == SENDING && c->expect == 3) first == '2' ? blast.delivered++ : blast.refused++;
        return;
    }
    switch (c->phase) {
    case GREETING:
        c->phase = HELLO;
        c->expect = 1;
        if (send(c->fd, "EHLO blast.test\r\n", 17, MSG_NOSIGNAL) != 17) fail("send");
        break;
    case HELLO: send_next(c, false); break;
    case SENDING:
        if (first != '3') {
            fputs("sim-blast: a message was refused; it needs a scenario that takes all\n", stderr);
            exit(1);
        }
        send_next(c, true);
        break;
    case LAST:
        first == '2' ? blast.delivered++ : blast.refused++;
        c->phase = QUITTING;
        c->expect = 1;
        if (send(c->fd, "QUIT\r\n", 6, MSG_NOSIGNAL) != 6) fail("send");
        break;
    case QUITTING: finish(c); break;
    }
}

static void on_input(struct conn *c) {
    char in[8192];
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) fail("the server closed");
    struct slice rest = {in, (size_t)n}, line;
    while (slice_cut(&rest, '\n', &line) && rest.at) /* replies here are short and come whole */
        if (line.len >= 4 && line.at[3] == ' ') take_reply(c, line.at[0]);
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static void report(double wall) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = seconds(used.ru_utime) + seconds(used.ru_stime);
    double n = blast.delivered ? (double)blast.delivered : 1;
    printf("{\"delivered\": %llu, \"refused\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, \"cpu_us\": "
           "%.2f}\n",
           (unsigned long long)blast.delivered, (unsigned long long)blast.refused, wall, n / wall,
           cpu * 1e6 / n);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    static struct conn conns[CONNS_MAX];
    uint64_t port = 0, count = 16;
    blast.domain = argc > 4 ? argv[4] : "big1.test";
    if (argc < 4 || argc > 6 || inet_pton(AF_INET, argv[1], &blast.to.sin_addr) != 1 ||
        !slice_to_u64(slice_of(argv[2]), &port) || port > 65535 ||
        !slice_to_u64(slice_of(argv[3]), &blast.n) ||
        (argc > 5 && (!slice_to_u64(slice_of(argv[5]), &count) || count == 0 || count > CONNS_MAX))) {
        fputs("usage: sim-blast ADDRESS PORT MESSAGES [DOMAIN [CONNECTIONS]]\n\n"
              "Sends messages of 4 KB as fast as it can and prints the rate and its own CPU for each.\n\n"
              "example:\n  sim-blast 127.1.0.1 2525 1000000 big1.test 16\n",
              stderr);
        return 2;
    }
    blast.to.sin_family = AF_INET;
    blast.to.sin_port = htons((uint16_t)port);
    blast.epoll = epoll_create1(EPOLL_CLOEXEC);
    make_content();
    double start = now();
    for (uint64_t i = 0; i < count && blast.begun < blast.n; i++)
        open_conn(&conns[i]);
    while (blast.running) {
        struct epoll_event events[64];
        int n = epoll_wait(blast.epoll, events, 64, 10000);
        if (n == 0) fail("nothing came for ten seconds");
        for (int i = 0; i < n; i++)
            on_input(events[i].data.ptr);
    }
    report(now() - start);
    return blast.refused ? 1 : 0;
}
