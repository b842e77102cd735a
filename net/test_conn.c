/* Tests of connections and listeners: both ends on one loop, over loopback and Unix sockets, in clear and
 * under TLS. */
#include "conn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG = 3000000, STUCK_MS = 8000 };

/* --- the bench: a loop, a listener, and for each connection an end that sends and gathers --- */

struct end;

struct bench {
    struct loop *loop;
    struct listener *listener;
    struct loop_timer stuck;
    struct end *accepts; /* the end that takes the next accepted socket */
    bool is_stuck;
};

struct end {
    struct bench *b;
    struct conn *c;
    struct buf in;
    struct slice out;         /* what is still to be sent */
    struct loop_timer resume; /* a slow reader pauses */
    bool slow;
    unsigned opened, writable, expired, closed, handshakes;
    bool close_on_open, close_on_input, close_on_end, stop_on_input;
    size_t stop_at_bytes;
    struct conn_end_info end;
    struct tls_info tls;
};

static void pump(struct end *e) {
    while (e->out.len > 0) {
        size_t n = conn_write(e->c, e->out.at, e->out.len);
        if (n == 0) return;
        e->out = slice_skip(e->out, n);
    }
}

static void on_opened(void *ctx) {
    struct end *e = ctx;
    e->opened++;
    if (e->close_on_open) {
        conn_close(e->c);
        conn_close(e->c);
        loop_stop(e->b->loop);
        return;
    }
    pump(e);
    loop_stop(e->b->loop);
}

static void on_resume(void *ctx) {
    struct end *e = ctx;
    conn_read(e->c, true);
}

static void on_input(void *ctx, struct slice bytes) {
    struct end *e = ctx;
    assert_true(bytes.len > 0);
    buf_put_slice(&e->in, bytes);
    if (e->slow) {
        conn_read(e->c, false);
        loop_timer_start(&e->resume, loop_now(e->b->loop) + US_PER_MS / 4);
    }
    if (e->close_on_input) conn_close(e->c);
    if (e->close_on_input || e->stop_on_input || (e->stop_at_bytes && e->in.len >= e->stop_at_bytes))
        loop_stop(e->b->loop);
}

static void on_writable(void *ctx) {
    struct end *e = ctx;
    e->writable++;
    pump(e);
}

static void on_tls(void *ctx, const struct tls_info *info) {
    struct end *e = ctx;
    e->handshakes++;
    e->tls = *info;
    if (info->ok) pump(e);
    loop_stop(e->b->loop);
}

static void on_expired(void *ctx) {
    struct end *e = ctx;
    e->expired++;
    loop_stop(e->b->loop);
}

static void on_closed(void *ctx, const struct conn_end_info *end) {
    struct end *e = ctx;
    e->closed++;
    e->end = *end;
    if (e->close_on_end) conn_close(e->c);
    loop_stop(e->b->loop);
}

static const struct conn_events events = {on_opened, on_input, on_writable, on_tls, on_expired, on_closed};

static void end_init(struct end *e, struct bench *b) {
    *e = (struct end){.b = b};
    buf_init(&e->in, 2 * BIG);
    loop_timer_init(&e->resume, b->loop, on_resume, e);
}

static void end_done(struct end *e) {
    loop_timer_stop(&e->resume);
    conn_close(e->c);
    e->c = NULL;
    buf_done(&e->in);
}

static void on_accept(void *ctx, int fd) {
    struct bench *b = ctx;
    assert_non_null(b->accepts);
    b->accepts->c = conn_adopt(b->loop, fd, &events, b->accepts, NULL);
    assert_non_null(b->accepts->c);
    b->accepts = NULL;
    loop_stop(b->loop);
}

static void on_stuck(void *ctx) {
    struct bench *b = ctx;
    b->is_stuck = true;
    loop_stop(b->loop);
}

static struct net_addr local_addr(const char *text) {
    struct net_addr a;
    assert_true(net_addr_parse(slice_of(text), 0, &a));
    return a;
}

static void bench_open(struct bench *b) {
    struct err err = {.text = ""};
    struct net_addr any = local_addr("127.0.0.1");
    *b = (struct bench){.loop = loop_open(&err)};
    assert_non_null(b->loop);
    b->listener = listener_open_tcp(b->loop, &any, on_accept, b, &err);
    if (!b->listener) fail_msg("%s", err.text);
    loop_timer_init(&b->stuck, b->loop, on_stuck, b);
}

static void bench_close(struct bench *b) {
    loop_timer_stop(&b->stuck);
    listener_close(b->listener);
    loop_close(b->loop);
}

/* One turn or several, until a callback stops the loop; a test that waits for ever fails. */
static void turn(struct bench *b) {
    loop_timer_start(&b->stuck, clock_mono() + STUCK_MS * US_PER_MS);
    loop_run(b->loop);
    if (b->is_stuck) fail_msg("nothing came in %d ms", STUCK_MS);
}

#define UNTIL(bench, condition)                                                                              \
    while (!(condition))                                                                                     \
    turn(bench)

static void connect_end(struct end *e, struct conn_options options) {
    struct err err = {.text = ""};
    if (options.remote.family == NET_NONE) options.remote = *listener_addr(e->b->listener);
    if (options.connect_deadline == 0) options.connect_deadline = NEVER;
    e->c = conn_open(e->b->loop, &options, &events, e, &err);
    if (!e->c) fail_msg("%s", err.text);
}

static void join(struct bench *b, struct end *client, struct end *server, struct conn_options options) {
    b->accepts = server;
    connect_end(client, options);
    UNTIL(b, client->opened && server->c);
}

static char *big_bytes(void) {
    char *bytes = malloc(BIG);
    assert_non_null(bytes);
    for (size_t i = 0; i < BIG; i++)
        bytes[i] = (char)(i * 131 + i / 4099);
    return bytes;
}

/* --- opening --- */

static void a_connection_opens_and_speaks(void **state) {
    struct bench b;
    struct end client, server;
    (void)state;
    bench_open(&b);
    end_init(&client, &b);
    end_init(&server, &b);
    client.out = SLICE("hello");
    join(&b, &client, &server, (struct conn_options){.source = local_addr("127.0.0.5")});
    UNTIL(&b, server.in.len == 5 || (server.stop_on_input = true, false));
    assert_memory_equal(server.in.at, "hello", 5);
    char text[NET_ADDR_TEXT_MAX];
    net_addr_format(conn_local(client.c), text);
    assert_string_equal(text, "127.0.0.5");
    assert_memory_equal(conn_remote(server.c), conn_local(client.c), sizeof(struct net_addr));
    assert_int_equal(conn_bytes_out(client.c), 5);
    assert_int_equal(conn_bytes_in(server.c), 5);
    end_done(&server);
    UNTIL(&b, client.closed);
    assert_int_equal(client.end.why, CONN_EOF);
    assert_int_equal(conn_write(client.c, "x", 1), 0);
    end_done(&client);
    bench_close(&b);
}

static void refusals_are_told_later(void **state) {
    struct bench b;
    struct end e;
    (void)state;
    bench_open(&b);
    struct net_addr gone = *listener_addr(b.listener);
    listener_close(b.listener);
    b.listener = NULL;
    end_init(&e, &b);
    connect_end(&e, (struct conn_options){.remote = gone});
    assert_int_equal(e.closed, 0);
    UNTIL(&b, e.closed);
    assert_int_equal(e.end.why, CONN_REFUSED);
    assert_int_equal(e.end.error, ECONNREFUSED);
    assert_non_null(strstr(e.end.text, "connect to 127.0.0.1:"));
    assert_non_null(strstr(e.end.text, "Connection refused"));
    end_done(&e);

    end_init(&e, &b); /* an address that is not ours */
    e.close_on_end = true;
    connect_end(&e, (struct conn_options){.remote = gone, .source = local_addr("192.0.2.77")});
    UNTIL(&b, e.closed);
    assert_int_equal(e.end.why, CONN_REFUSED);
    assert_non_null(strstr(e.end.text, "source address"));
    buf_done(&e.in);
    bench_close(&b);
}

static void connecting_has_a_deadline(void **state) {
    struct bench b;
    struct end e;
    struct sockaddr_storage at;
    struct net_addr any = local_addr("127.0.0.1"), full;
    int waiting[8];
    (void)state;
    bench_open(&b);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* its queue is filled below, so that it no longer answers */
    socklen_t n = net_addr_to_sockaddr(&any, &at);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(fd, 0), 0);
    n = sizeof at;
    getsockname(fd, (struct sockaddr *)&at, &n);
    net_addr_from_sockaddr((struct sockaddr *)&at, &full);
    for (int i = 0; i < 8; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(connect(waiting[i], (struct sockaddr *)&at, n) == 0 || errno == EINPROGRESS);
    }
    end_init(&e, &b);
    mono_us start = clock_mono();
    connect_end(&e, (struct conn_options){.remote = full, .connect_deadline = start + 50 * US_PER_MS});
    UNTIL(&b, e.closed);
    assert_int_equal(e.end.why, CONN_TIMEOUT);
    assert_true(clock_mono() - start >= 50 * US_PER_MS);
    end_done(&e);
    for (int i = 0; i < 8; i++)
        close(waiting[i]);
    close(fd);
    bench_close(&b);
}

/* --- moving bytes --- */

static void transfer(bool tls, bool slow);

static void much_goes_both_ways(void **state) {
    (void)state;
    transfer(false, false);
}

static void a_slow_reader_gets_all(void **state) {
    (void)state;
    transfer(false, true);
}

static void a_server_s_last_words_are_heard(void **state) {
    struct bench b;
    struct end client, server;
    char *bytes = big_bytes();
    (void)state;
    bench_open(&b);
    end_init(&client, &b);
    end_init(&server, &b);
    join(&b, &client, &server, (struct conn_options){.send_buffer = 8192});
    conn_read(client.c, false); /* it does not look yet */
    conn_read(server.c, false);
    client.out = slice_make(bytes, BIG);
    pump(&client);
    assert_true(client.out.len > 0);
    assert_int_equal(conn_write(server.c, "421 bye\r\n", 9), 9);
    end_done(&server); /* with unread input: a reset follows the words */
    loop_timer_start(&client.resume, clock_mono() + 20 * US_PER_MS);
    UNTIL(&b, client.closed);
    assert_int_equal(client.in.len, 9);
    assert_memory_equal(client.in.at, "421 bye\r\n", 9);
    assert_int_equal(client.end.why, CONN_RESET);
    assert_int_equal(client.closed, 1);
    end_done(&client);
    bench_close(&b);
    free(bytes);
}

static void half_closing_lets_the_rest_through(void **state) {
    struct bench b;
    struct end client, server;
    (void)state;
    bench_open(&b);
    end_init(&client, &b);
    end_init(&server, &b);
    join(&b, &client, &server, (struct conn_options){.connect_deadline = NEVER});
    assert_int_equal(conn_write(server.c, "last", 4), 4);
    conn_finish(server.c);
    UNTIL(&b, client.closed);
    assert_int_equal(client.end.why, CONN_EOF);
    assert_int_equal(client.in.len, 4);
    assert_int_equal(server.closed, 0);
    end_done(&client);
    UNTIL(&b, server.closed);
    end_done(&server);
    bench_close(&b);
}

static void deadlines_come_once_and_can_be_moved(void **state) {
    struct bench b;
    struct end client, server;
    (void)state;
    bench_open(&b);
    end_init(&client, &b);
    end_init(&server, &b);
    join(&b, &client, &server, (struct conn_options){.connect_deadline = NEVER});
    mono_us start = clock_mono();
    conn_deadline(client.c, start + 5 * US_PER_MS);
    conn_deadline(client.c, start + 40 * US_PER_MS);
    conn_deadline(server.c, start + 5 * US_PER_MS);
    conn_deadline(server.c, NEVER);
    UNTIL(&b, client.expired);
    assert_true(clock_mono() - start >= 40 * US_PER_MS);
    assert_int_equal(server.expired, 0);
    assert_int_equal(conn_write(client.c, "still open", 10), 10);
    end_done(&client);
    end_done(&server);
    bench_close(&b);
}

static void closing_inside_any_callback_is_safe(void **state) {
    struct bench b;
    (void)state;
    bench_open(&b);
    for (int where = 0; where < 3; where++) {
        struct end client, server;
        end_init(&client, &b);
        end_init(&server, &b);
        client.close_on_open = where == 0;
        client.close_on_input = where == 1;
        client.close_on_end = where == 2;
        b.accepts = &server;
        connect_end(&client, (struct conn_options){.connect_deadline = NEVER});
        UNTIL(&b, client.opened && server.c);
        if (where == 1) {
            conn_write(server.c, "hello", 5);
            UNTIL(&b, client.in.len == 5);
        } else if (where == 2) {
            conn_finish(server.c);
            UNTIL(&b, client.closed);
        }
        UNTIL(&b, server.closed);
        buf_done(&client.in);
        end_done(&server);
    }
    bench_close(&b);
}

static void a_port_is_listened_on_once(void **state) {
    struct bench b;
    struct err err = {.text = ""};
    (void)state;
    bench_open(&b);
    assert_null(listener_open_tcp(b.loop, listener_addr(b.listener), on_accept, &b, &err));
    assert_non_null(strstr(err.text, "Address already in use"));
    bench_close(&b);
}

/* --- TLS --- */

struct keys {
    struct tls_server_ctx *server;
    struct tls_client_ctx *trusting, *strange; /* knows the certificate, does not */
};

static struct tls_client_ctx *client_ctx(const char *ca_file) {
    struct err err = {.text = ""};
    struct tls_client_ctx *ctx = tls_client_open(&(struct tls_client_options){.ca_file = ca_file}, &err);
    if (!ctx) fail_msg("%s", err.text);
    return ctx;
}

static void write_file(int fd, struct slice bytes) {
    assert_int_equal(write(fd, bytes.at, bytes.len), bytes.len);
    close(fd);
}

static void keys_open(struct keys *k) {
    static const char *const names[] = {"mx.example.test", "*.wild.test"};
    char path[] = "/tmp/test_conn_cert_XXXXXX", other[] = "/tmp/test_conn_cert_XXXXXX";
    struct buf cert, key, strange, strange_key;
    struct err err = {.text = ""};
    buf_init(&cert, 65536), buf_init(&key, 65536), buf_init(&strange, 65536), buf_init(&strange_key, 65536);
    if (tls_self_signed(names, 2, 30, &cert, &key, &err) != 0) fail_msg("%s", err.text);
    if (tls_self_signed(names, 1, 30, &strange, &strange_key, &err) != 0) fail_msg("%s", err.text);
    k->server = tls_server_open(buf_slice(&cert), buf_slice(&key), &err);
    if (!k->server) fail_msg("%s", err.text);
    assert_null(
        tls_server_open(buf_slice(&cert), buf_slice(&strange_key), &err)); /* do not belong together */
    assert_null(tls_server_open(SLICE("nonsense"), buf_slice(&key), &err));
    write_file(mkstemp(path), buf_slice(&cert));
    write_file(mkstemp(other), buf_slice(&strange));
    k->trusting = client_ctx(path);
    k->strange = client_ctx(other);
    unlink(path);
    unlink(other);
    buf_done(&cert), buf_done(&key), buf_done(&strange), buf_done(&strange_key);
}

static void keys_close(struct keys *k) {
    tls_client_close(k->trusting);
    tls_client_close(k->strange);
    tls_server_close(k->server);
}

/* A handshake over a fresh connection. Both ends stay open. */
static void handshake(struct bench *b, struct end *client, struct end *server, struct keys *k,
                      struct tls_client_ctx *ctx, struct slice name, enum tls_verify verify) {
    end_init(client, b);
    end_init(server, b);
    join(b, client, server, (struct conn_options){.connect_deadline = NEVER});
    assert_int_equal(conn_accept_tls(server->c, k->server, NULL), 0);
    assert_int_equal(conn_start_tls(client->c, ctx, name, verify, NULL), 0);
    assert_int_equal(conn_write(client->c, "too early", 9), 0);
    UNTIL(b, client->handshakes && (server->handshakes || server->closed));
}

static void certificates_are_judged(void **state) {
    static const struct {
        const char *name;
        bool trusting;
        enum tls_verify verify;
        bool ok, verified;
        const char *text;
    } cases[] = {
        {"mx.example.test", true, TLS_VERIFY_REQUIRE, true, true, ""},
        {"MX.example.test.", true, TLS_VERIFY_REQUIRE, true, true, ""},
        {"a.wild.test", true, TLS_VERIFY_REQUIRE, true, true, ""},
        {"other.test", true, TLS_VERIFY_REQUIRE, false, false, "mismatch"},
        {"other.test", true, TLS_VERIFY_RECORD, true, false, "mismatch"},
        {"mx.example.test", false, TLS_VERIFY_REQUIRE, false, false, "self-signed certificate"},
        {"mx.example.test", false, TLS_VERIFY_RECORD, true, false, "self-signed certificate"},
        {"", true, TLS_VERIFY_RECORD, true, false, "no host name"},
        {"", true, TLS_VERIFY_REQUIRE, false, false, "no host name"},
    };
    struct bench b;
    struct keys k;
    (void)state;
    bench_open(&b);
    keys_open(&k);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end client, server;
        struct tls_client_ctx *ctx = cases[i].trusting ? k.trusting : k.strange;
        end_init(&client, &b);
        end_init(&server, &b);
        join(&b, &client, &server, (struct conn_options){.connect_deadline = NEVER});
        conn_accept_tls(server.c, k.server, NULL);
        conn_start_tls(client.c, ctx, slice_of(cases[i].name), cases[i].verify, NULL);
        UNTIL(&b, client.handshakes);
        if (client.tls.ok != cases[i].ok || client.tls.verified != cases[i].verified ||
            !strstr(client.tls.text, cases[i].text) || (cases[i].verified && client.tls.text[0]))
            fail_msg("%s: ok %d verified %d '%s'", cases[i].name, client.tls.ok, client.tls.verified,
                     client.tls.text);
        if (client.tls.ok) assert_string_equal(client.tls.version, "TLSv1.3");
        if (client.tls.ok) assert_true(client.tls.cipher[0]);
        assert_int_equal(client.closed, 0);
        end_done(&client);
        end_done(&server);
    }
    keys_close(&k);
    bench_close(&b);
}

static void sessions_are_resumed(void **state) {
    struct bench b;
    struct keys k;
    (void)state;
    bench_open(&b);
    keys_open(&k);
    static const struct {
        const char *name;
        enum tls_verify verify;
        bool resumed, verified;
    } rounds[] = {
        {"mx.example.test", TLS_VERIFY_RECORD, false, true},
        {"mx.example.test", TLS_VERIFY_RECORD, true, true},
        {"a.wild.test", TLS_VERIFY_RECORD, false, true},      /* another name, another session */
        {"mx.example.test", TLS_VERIFY_REQUIRE, false, true}, /* an unverified session is no verified one */
        {"mx.example.test", TLS_VERIFY_REQUIRE, true, true},
        {"mx.example.test", TLS_VERIFY_RECORD, true, true},
    };
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        struct end client, server;
        handshake(&b, &client, &server, &k, k.trusting, slice_of(rounds[i].name), rounds[i].verify);
        if (client.tls.resumed != rounds[i].resumed || client.tls.verified != rounds[i].verified)
            fail_msg("round %zu: resumed %d, verified %d", i, client.tls.resumed, client.tls.verified);
        client.stop_on_input = true;
        assert_int_equal(conn_write(server.c, "220 hello\r\n", 11), 11); /* the ticket comes before it */
        UNTIL(&b, client.in.len == 11);
        end_done(&client);
        UNTIL(&b, server.closed);
        assert_int_equal(server.end.why, CONN_EOF);
        end_done(&server);
    }
    keys_close(&k);
    bench_close(&b);
}

static void garbage_instead_of_tls_fails(void **state) {
    static const char *const says[] = {"454 TLS not available, sorry for that, try again\r\n",
                                       "\x16\x03\x03\xff\xff garbage", "\x15\x03\x03\0\2\2\x28", ""};
    struct bench b;
    struct keys k;
    (void)state;
    bench_open(&b);
    keys_open(&k);
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        struct end client, server;
        end_init(&client, &b);
        end_init(&server, &b);
        join(&b, &client, &server, (struct conn_options){.connect_deadline = NEVER});
        assert_int_equal(
            conn_start_tls(client.c, k.strange, SLICE("mx.example.test"), TLS_VERIFY_RECORD, NULL), 0);
        size_t n = i == 2 ? 7 : strlen(says[i]);
        if (n > 0) conn_write(server.c, says[i], n);
        conn_finish(server.c);
        UNTIL(&b, client.handshakes);
        assert_false(client.tls.ok);
        assert_non_null(strstr(client.tls.text, "TLS handshake: "));
        end_done(&client);
        end_done(&server);
    }
    keys_close(&k);
    bench_close(&b);
}

static void a_silent_handshake_meets_the_deadline(void **state) {
    struct bench b;
    struct keys k;
    struct end client, server;
    (void)state;
    bench_open(&b);
    keys_open(&k);
    end_init(&client, &b);
    end_init(&server, &b);
    join(&b, &client, &server, (struct conn_options){.connect_deadline = NEVER});
    conn_start_tls(client.c, k.strange, SLICE("mx.example.test"), TLS_VERIFY_RECORD, NULL);
    conn_deadline(client.c, clock_mono() + 20 * US_PER_MS);
    UNTIL(&b, client.expired);
    assert_int_equal(client.handshakes, 0);
    end_done(&client);
    end_done(&server);
    keys_close(&k);
    bench_close(&b);
}

static void clear_text_after_the_handshake_ends_it(void **state) {
    struct bench b;
    struct keys k;
    struct end client, server;
    (void)state;
    bench_open(&b);
    keys_open(&k);
    end_init(&client, &b);
    b.accepts = NULL;
    struct net_addr at = *listener_addr(b.listener);
    end_init(&server, &b);
    b.accepts = &server;
    connect_end(&client, (struct conn_options){.remote = at});
    UNTIL(&b, client.opened && server.c);
    /* A second way into the server's stream: what an attacker in the middle would inject. */
    conn_accept_tls(server.c, k.server, NULL);
    conn_start_tls(client.c, k.strange, SLICE("mx.example.test"), TLS_VERIFY_RECORD, NULL);
    UNTIL(&b, client.handshakes && server.handshakes);
    int fd = -1;
    for (int i = 3; i < 64 && fd < 0; i++) { /* the server's own socket, by its peer's address */
        struct sockaddr_storage peer;
        socklen_t n = sizeof peer;
        struct net_addr a;
        if (getpeername(i, (struct sockaddr *)&peer, &n) == 0 &&
            net_addr_from_sockaddr((struct sockaddr *)&peer, &a) &&
            net_addr_cmp(&a, conn_local(client.c)) == 0)
            fd = i;
    }
    assert_true(fd >= 0);
    assert_int_equal(send(fd, "250 injected\r\n", 14, 0), 14);
    UNTIL(&b, client.closed);
    assert_int_equal(client.end.why, CONN_TLS);
    assert_int_equal(client.in.len, 0);
    end_done(&client);
    end_done(&server);
    keys_close(&k);
    bench_close(&b);
}

static void transfer(bool tls, bool slow) {
    struct bench b;
    struct keys k;
    struct end client, server;
    char *bytes = big_bytes();
    bench_open(&b);
    keys_open(&k);
    end_init(&client, &b);
    end_init(&server, &b);
    join(&b, &client, &server, (struct conn_options){.send_buffer = 8192});
    if (tls) {
        conn_accept_tls(server.c, k.server, NULL);
        conn_start_tls(client.c, k.strange, SLICE("mx.example.test"), TLS_VERIFY_RECORD, NULL);
        UNTIL(&b, client.handshakes && server.handshakes);
    }
    server.slow = client.slow = slow;
    server.stop_at_bytes = client.stop_at_bytes = BIG;
    client.out = server.out = slice_make(bytes, BIG);
    pump(&client);
    pump(&server);
    assert_true(client.out.len > 0);
    UNTIL(&b, client.in.len >= BIG && server.in.len >= BIG);
    assert_int_equal(client.in.len, BIG);
    assert_int_equal(server.in.len, BIG);
    assert_memory_equal(client.in.at, bytes, BIG);
    assert_memory_equal(server.in.at, bytes, BIG);
    assert_true(client.writable > 0);
    assert_int_equal(conn_bytes_out(client.c), BIG);
    assert_int_equal(conn_bytes_in(client.c), BIG);
    end_done(&client);
    end_done(&server);
    keys_close(&k);
    bench_close(&b);
    free(bytes);
}

static void much_goes_both_ways_under_tls(void **state) {
    (void)state;
    transfer(true, false);
}

static void a_slow_reader_gets_all_under_tls(void **state) {
    (void)state;
    transfer(true, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_opens_and_speaks),
        cmocka_unit_test(refusals_are_told_later),
        cmocka_unit_test(connecting_has_a_deadline),
        cmocka_unit_test(much_goes_both_ways),
        cmocka_unit_test(a_slow_reader_gets_all),
        cmocka_unit_test(a_server_s_last_words_are_heard),
        cmocka_unit_test(half_closing_lets_the_rest_through),
        cmocka_unit_test(deadlines_come_once_and_can_be_moved),
        cmocka_unit_test(closing_inside_any_callback_is_safe),
        cmocka_unit_test(a_port_is_listened_on_once),
        cmocka_unit_test(certificates_are_judged),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(garbage_instead_of_tls_fails),
        cmocka_unit_test(a_silent_handshake_meets_the_deadline),
        cmocka_unit_test(clear_text_after_the_handshake_ends_it),
        cmocka_unit_test(much_goes_both_ways_under_tls),
        cmocka_unit_test(a_slow_reader_gets_all_under_tls),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
