/* Tests of the way through a proxy: the bytes of both protocols in tables, then connections through scripted
 * proxies, most of which misbehave. */
#include "conn.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES(text) text, sizeof(text) - 1

static struct net_addr address(const char *text) {
    struct net_addr a = {0};
    if (*text) assert_true(net_addr_parse(slice_of(text), 0, &a));
    return a;
}

/* ---- PROXY protocol ---- */

static void test_header(void **state) {
    (void)state;
    static const struct {
        const char *source, *target, *bytes;
        size_t n;
    } cases[] = {
        {"192.0.2.1:1000", "198.51.100.2:25",
         BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x03\xe8\0\x19")},
        {"192.0.2.1", "198.51.100.2:25",
         BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\0\0\0\x19")},
        {"2001:db8::1", "[2001:db8::2]:587",
         BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1 "
               "\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
               "\0\0\x02\x4b")},
        {"192.0.2.1", "[2001:db8::2]:25", BYTES("")},
        {"", "198.51.100.2:25", BYTES("")},
        {"", "", BYTES("")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_addr source = address(cases[i].source), target = address(cases[i].target);
        uint8_t out[PROXY_HEADER_MAX];
        assert_int_equal(proxy_header_put(&source, &target, out), cases[i].n);
        assert_memory_equal(out, cases[i].bytes, cases[i].n);
    }
}

/* ---- SOCKS5, without sockets ---- */

struct talk_case {
    const char *name, *user, *password, *target;
    const char *asked; /* all that the client said */
    size_t asked_len;
    const char *said; /* all that the proxy said */
    size_t said_len;
    enum socks5_result result;
    const char *text;
};

#define HELLO       "\5\1\0"
#define HELLO_LOGIN "\5\2\0\2"
#define LOGIN       "\1\4user\6secret"
#define FOUR        "\5\1\0\1\xc0\0\2\1\0\x19"
#define FOUR_AT     "192.0.2.1:25"
#define GOOD        "\5\0\0\1\x7f\0\0\1\x12\x34"

static const struct talk_case talk_cases[] = {
    {"IPv4", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0" GOOD), SOCKS5_CONNECTED, ""},
    {"IPv6", NULL, NULL, "[2001:db8::2]:587", BYTES(HELLO "\5\1\0\4 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2\2\x4b"),
     BYTES("\5\0\5\0\0\4aaaaaaaaaaaaaaaa\0\x19"), SOCKS5_CONNECTED, ""},
    {"log-in", "user", "secret", FOUR_AT, BYTES(HELLO_LOGIN LOGIN FOUR), BYTES("\5\2\1\0" GOOD),
     SOCKS5_CONNECTED, ""},
    {"log-in not wanted", "user", "secret", FOUR_AT, BYTES(HELLO_LOGIN FOUR), BYTES("\5\0" GOOD),
     SOCKS5_CONNECTED, ""},
    {"from a name", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\0\0\3\4name\0\x19"),
     SOCKS5_CONNECTED, ""},
    {"from a name of no length", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\0\0\3\0\0\x19"),
     SOCKS5_CONNECTED, ""},
    {"not at its end", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\0\0\1\x7f\0\0\1\x12"),
     SOCKS5_MORE, ""},
    {"SOCKS 4", NULL, NULL, FOUR_AT, BYTES(HELLO), BYTES("\0\x5a"), SOCKS5_BROKEN, "does not speak SOCKS5"},
    {"HTTP", NULL, NULL, FOUR_AT, BYTES(HELLO), BYTES("HT"), SOCKS5_BROKEN, "begins with byte 0x48"},
    {"wants a log-in", NULL, NULL, FOUR_AT, BYTES(HELLO), BYTES("\5\xff"), SOCKS5_BROKEN,
     "none is configured"},
    {"wants another log-in", "user", "secret", FOUR_AT, BYTES(HELLO_LOGIN), BYTES("\5\xff"), SOCKS5_BROKEN,
     "neither a password"},
    {"GSSAPI unasked", "user", "secret", FOUR_AT, BYTES(HELLO_LOGIN), BYTES("\5\1"), SOCKS5_BROKEN,
     "not offered"},
    {"password unasked", NULL, NULL, FOUR_AT, BYTES(HELLO), BYTES("\5\2"), SOCKS5_BROKEN, "not offered"},
    {"log-in refused", "user", "secret", FOUR_AT, BYTES(HELLO_LOGIN LOGIN), BYTES("\5\2\1\1"), SOCKS5_BROKEN,
     "refused user name and password"},
    {"log-in of another kind", "user", "secret", FOUR_AT, BYTES(HELLO_LOGIN LOGIN), BYTES("\5\2\5\0"),
     SOCKS5_BROKEN, "does not speak SOCKS5"},
    {"reply of another version", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\4\0"), SOCKS5_BROKEN,
     "does not speak SOCKS5"},
    {"an unknown kind of address", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\0\0\2a"),
     SOCKS5_BROKEN, "unknown kind"},
    {"1", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\1"), SOCKS5_REFUSED, "general failure"},
    {"2", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\2"), SOCKS5_REFUSED, "rules do not allow"},
    {"3", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\3"), SOCKS5_TARGET, "Network is unreachable"},
    {"4", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\4"), SOCKS5_TARGET, "No route to host"},
    {"5", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\5"), SOCKS5_TARGET, "Connection refused"},
    {"6", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\6"), SOCKS5_TARGET, "timed out"},
    {"7", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\7"), SOCKS5_BROKEN,
     "does not make connections"},
    {"8", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\x8"), SOCKS5_REFUSED, "of this family"},
    {"9", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\x9"), SOCKS5_REFUSED, "(reply 9)"},
    {"255", NULL, NULL, FOUR_AT, BYTES(HELLO FOUR), BYTES("\5\0\5\xff"), SOCKS5_REFUSED, "(reply 255)"},
};

static enum socks5_result talk(const struct talk_case *c, size_t step, struct buf *asked, char *text) {
    struct socks5 s;
    struct net_addr target = address(c->target);
    struct slice said = slice_make(c->said, c->said_len);
    enum socks5_result result = SOCKS5_MORE;
    socks5_init(&s, &target, c->user, c->password);
    for (;;) {
        for (struct slice out; (out = socks5_output(&s)).len;) {
            size_t n = out.len < step ? out.len : step;
            buf_put(asked, out.at, n);
            socks5_wrote(&s, n);
        }
        if (result != SOCKS5_MORE || said.len == 0) break;
        size_t n = socks5_wants(&s) < step ? socks5_wants(&s) : step;
        if (n > said.len) n = said.len;
        result = socks5_input(&s, slice_make(said.at, n));
        said = slice_skip(said, n);
    }
    memcpy(text, s.text, SOCKS5_TEXT_MAX);
    socks5_done(&s);
    for (size_t i = 0; c->password && i + 6 <= sizeof s.out; i++)
        assert_memory_not_equal(s.out + i, "secret", 6);
    return result;
}

static void test_talk(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof talk_cases / sizeof *talk_cases; i++)
        for (size_t step = 1; step < 40; step += 4) {
            const struct talk_case *c = &talk_cases[i];
            char text[SOCKS5_TEXT_MAX];
            struct buf asked;
            buf_init(&asked, 4096);
            if (talk(c, step, &asked, text) != c->result || !strstr(text, c->text))
                fail_msg("%s, %zu bytes at a time: %s", c->name, step, text);
            if (asked.len != c->asked_len || memcmp(asked.at, c->asked, asked.len) != 0)
                fail_msg("%s: asked for something else", c->name);
            buf_done(&asked);
        }
}

static void test_longest_names(void **state) {
    (void)state;
    struct socks5 s;
    struct net_addr target = address(FOUR_AT);
    char name[SOCKS5_NAME_MAX + 1];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    socks5_init(&s, &target, name, name);
    socks5_wrote(&s, socks5_output(&s).len);
    assert_int_equal(socks5_input(&s, SLICE("\5\2")), SOCKS5_MORE);
    assert_int_equal(socks5_output(&s).len, 3 + 2 * SOCKS5_NAME_MAX);
    socks5_done(&s);
}

/* ---- connections ---- */

struct step {
    unsigned read; /* so many bytes first */
    const char *say;
    size_t say_len;
};
enum behind { CLOSES, STAYS, NOBODY }; /* after its last step; NOBODY: nothing listens */

struct conn_case {
    const char *name;
    enum proxy_protocol protocol;
    const char *user;
    struct step steps[4];
    enum behind behind;
    bool opened;
    enum conn_end why; /* when not opened */
    const char *text;
};

#define SAY(n, text)                                                                                         \
    { n, BYTES(text) }

static const struct conn_case conn_cases[] = {
    {"PROXY protocol", PROXY_HAPROXY, NULL, {SAY(28, "220 hello")}, STAYS, true, 0, ""},
    {"PROXY protocol, nobody there",
     PROXY_HAPROXY,
     NULL,
     {{0}},
     NOBODY,
     false,
     CONN_PROXY,
     "connect to proxy 127.0.0.1:PORT: Connection refused"},
    {"SOCKS5", PROXY_SOCKS5, NULL, {SAY(3, "\5\0"), SAY(10, GOOD), SAY(0, "220 hello")}, STAYS, true, 0, ""},
    {"SOCKS5, the greeting in one packet with the reply",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, GOOD "220 hello")},
     STAYS,
     true,
     0,
     ""},
    {"SOCKS5 with a log-in",
     PROXY_SOCKS5,
     "user",
     {SAY(4, "\5\2"), SAY(13, "\1\0"), SAY(10, GOOD "220 hello")},
     STAYS,
     true,
     0,
     ""},
    {"half replies",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5"), SAY(0, "\0"), SAY(10, "\5\0\0"),
      SAY(0, "\1\1\1\1\1\1\1"
             "220 hello")},
     STAYS,
     true,
     0,
     ""},
    {"SOCKS5, nobody there",
     PROXY_SOCKS5,
     NULL,
     {{0}},
     NOBODY,
     false,
     CONN_PROXY,
     "connect to proxy 127.0.0.1:PORT: Connection refused"},
    {"closes at once", PROXY_SOCKS5, NULL, {{0}}, CLOSES, false, CONN_PROXY, "proxy 127.0.0.1:PORT: "},
    {"closes within its answer",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5")},
     CLOSES,
     false,
     CONN_PROXY,
     "proxy 127.0.0.1:PORT: it closed the connection"},
    {"stalls at the beginning",
     PROXY_SOCKS5,
     NULL,
     {{0}},
     STAYS,
     false,
     CONN_PROXY,
     "proxy 127.0.0.1:PORT: Connection timed out"},
    {"stalls within its answer",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5")},
     STAYS,
     false,
     CONN_PROXY,
     "proxy 127.0.0.1:PORT: Connection timed out"},
    {"garbage",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "HTTP/1.1 400 Bad Request\r\n\r\n")},
     CLOSES,
     false,
     CONN_PROXY,
     "proxy 127.0.0.1:PORT: it does not speak SOCKS5"},
    {"SOCKS 4",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\0\x5b\0\0\0\0\0\0")},
     CLOSES,
     false,
     CONN_PROXY,
     "does not speak SOCKS5"},
    {"log-in refused",
     PROXY_SOCKS5,
     "user",
     {SAY(4, "\5\2"), SAY(13, "\1\1")},
     CLOSES,
     false,
     CONN_PROXY,
     "proxy 127.0.0.1:PORT: it refused user name and password"},
    {"log-in wanted",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\xff")},
     CLOSES,
     false,
     CONN_PROXY,
     "none is configured"},
    {"stalls at the log-in", PROXY_SOCKS5, "user", {SAY(4, "\5\2")}, STAYS, false, CONN_PROXY, "timed out"},
    {"the target refuses",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, "\5\5\0\1\0\0\0\0\0\0")},
     CLOSES,
     false,
     CONN_REFUSED,
     "connect to 192.0.2.1:25 through proxy 127.0.0.1:PORT: Connection refused (SOCKS5 reply 5)"},
    {"not allowed",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, "\5\2")},
     CLOSES,
     false,
     CONN_PROXY_REFUSED,
     "proxy 127.0.0.1:PORT: its rules do not allow"},
    {"no such command",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, "\5\7\0\1\0\0\0\0\0\0")},
     CLOSES,
     false,
     CONN_PROXY,
     "does not make connections for others"},
    {"waits for the target",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, "")},
     STAYS,
     false,
     CONN_TIMEOUT,
     "connect to 192.0.2.1:25 through proxy 127.0.0.1:PORT: Connection timed out"},
    {"closes instead of a reply",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, "")},
     CLOSES,
     false,
     CONN_PROXY_REFUSED,
     "proxy 127.0.0.1:PORT: it closed the connection"},
    {"closes within the reply",
     PROXY_SOCKS5,
     NULL,
     {SAY(3, "\5\0"), SAY(10, "\5\0\0\1\1")},
     CLOSES,
     false,
     CONN_PROXY_REFUSED,
     "it closed the connection"},
};

struct script {
    const struct conn_case *c;
    int listener;
    int stay; /* closed when a proxy that stays may go */
};

static void play(const struct conn_case *c, int fd) {
    for (size_t i = 0; i < sizeof c->steps / sizeof *c->steps; i++) {
        char byte;
        for (unsigned n = 0; n < c->steps[i].read; n++)
            if (recv(fd, &byte, 1, 0) != 1) return;
        for (size_t at = 0; at < c->steps[i].say_len; at++) /* byte by byte, to meet every boundary */
            if (send(fd, c->steps[i].say + at, 1, MSG_NOSIGNAL) != 1) return;
    }
}

static void *proxy_run(void *ctx) {
    struct script *s = ctx;
    char byte;
    int fd = accept(s->listener, NULL, NULL);
    play(s->c, fd);
    if (s->c->behind == STAYS) assert_int_equal(read(s->stay, &byte, 1), 0);
    shutdown(fd, SHUT_WR);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static int listen_here(struct net_addr *at) {
    struct sockaddr_storage addr;
    *at = address("127.0.0.1");
    socklen_t n = net_addr_to_sockaddr(at, &addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, n), 0);
    assert_int_equal(listen(fd, 8), 0);
    n = sizeof addr;
    getsockname(fd, (struct sockaddr *)&addr, &n);
    net_addr_from_sockaddr((struct sockaddr *)&addr, at);
    return fd;
}

struct client {
    struct loop *loop;
    unsigned opened, closed;
    struct buf in;
    struct conn_end_info end;
};

static void on_opened(void *ctx) {
    ((struct client *)ctx)->opened++;
}

static void on_input(void *ctx, struct slice bytes) {
    struct client *c = ctx;
    assert_int_equal(c->opened, 1);
    buf_put_slice(&c->in, bytes);
    if (c->in.len >= 9) loop_stop(c->loop);
}

static void on_closed(void *ctx, const struct conn_end_info *end) {
    struct client *c = ctx;
    c->closed++;
    c->end = *end;
    loop_stop(c->loop);
}

static const struct conn_events events = {.opened = on_opened, .input = on_input, .closed = on_closed};

/* The expected text, with the proxy's port in place of PORT. */
static void fill_port(const char *text, uint16_t port, char out[200]) {
    const char *at = strstr(text, "PORT");
    if (at)
        snprintf(out, 200, "%.*s%u%s", (int)(at - text), text, port, at + 4);
    else
        snprintf(out, 200, "%s", text);
}

static void connect_through(const struct conn_case *c) {
    struct err err = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct script script = {.c = c, .stay = ends[0]};
    struct proxy_options proxy = {.protocol = c->protocol,
                                  .source = address("198.51.100.1"),
                                  .user = c->user,
                                  .password = c->user ? "secret" : NULL};
    struct client client = {.loop = loop_open(&err)};
    script.listener = listen_here(&proxy.address);
    pthread_t thread = pthread_self();
    if (c->behind == NOBODY)
        close(script.listener);
    else
        assert_int_equal(pthread_create(&thread, NULL, proxy_run, &script), 0);
    buf_init(&client.in, 1000);
    struct conn_options options = {.remote = address(FOUR_AT),
                                   .proxy = &proxy,
                                   .connect_deadline =
                                       loop_now(client.loop) + (c->opened ? 5000 : 300) * US_PER_MS};
    struct conn *conn = conn_open(client.loop, &options, &events, &client, &err);
    assert_non_null(conn);
    loop_run(client.loop);
    char text[200];
    fill_port(c->text, proxy.address.port, text);
    if (client.opened != c->opened ||
        (!c->opened && (client.end.why != c->why || !strstr(client.end.text, text))))
        fail_msg("%s: opened %u, %d: %s", c->name, client.opened, (int)client.end.why, client.end.text);
    if (c->opened) assert_true(slice_eq(buf_slice(&client.in), SLICE("220 hello")));
    assert_true(net_addr_cmp(conn_remote(conn), &options.remote) == 0);
    conn_close(conn);
    loop_close(client.loop);
    close(ends[1]);
    if (c->behind != NOBODY) pthread_join(thread, NULL), close(script.listener);
    close(ends[0]);
    buf_done(&client.in);
}

static void test_connections(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof conn_cases / sizeof *conn_cases; i++)
        connect_through(&conn_cases[i]);
}

/* What follows `opened` names the way too. */
static void test_lost_later(void **state) {
    (void)state;
    static const struct conn_case c = {
        "ends later", PROXY_SOCKS5, NULL, {SAY(3, "\5\0"), SAY(10, GOOD "220")}, CLOSES, true, 0, ""};
    struct err err = {0};
    struct script script = {.c = &c};
    struct proxy_options proxy = {.protocol = PROXY_SOCKS5};
    struct client client = {.loop = loop_open(&err)};
    pthread_t thread;
    script.listener = listen_here(&proxy.address);
    assert_int_equal(pthread_create(&thread, NULL, proxy_run, &script), 0);
    buf_init(&client.in, 1000);
    struct conn_options options = {.remote = address(FOUR_AT), .proxy = &proxy, .connect_deadline = NEVER};
    struct conn *conn = conn_open(client.loop, &options, &events, &client, &err);
    loop_run(client.loop);
    assert_int_equal(client.end.why, CONN_EOF);
    assert_non_null(strstr(client.end.text, "192.0.2.1:25 through proxy 127.0.0.1:"));
    conn_close(conn);
    loop_close(client.loop);
    pthread_join(thread, NULL);
    close(script.listener);
    buf_done(&client.in);
}

static void test_other_family(void **state) {
    (void)state;
    struct err err = {0};
    struct loop *loop = loop_open(&err);
    struct proxy_options proxy = {
        .protocol = PROXY_HAPROXY, .address = address("127.0.0.1:1"), .source = address("2001:db8::1")};
    struct conn_options options = {.remote = address(FOUR_AT), .proxy = &proxy, .connect_deadline = NEVER};
    assert_null(conn_open(loop, &options, &events, NULL, &err));
    assert_non_null(strstr(err.text, "family"));
    loop_close(loop);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_longest_names), cmocka_unit_test(test_connections),
        cmocka_unit_test(test_lost_later),    cmocka_unit_test(test_other_family),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
