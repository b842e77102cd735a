/* The text format byte by byte, and the page over a real socket. */
#include "metrics.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void format(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    metrics_one(&b, "a_total", "counter", "All of them.", 12345678901234.0);
    metrics_head(&b, "b", "gauge", "Each.");
    metrics_sample(&b, "b", 1.5, "name", "x\"y\\z\nw", "other", "", NULL);
    buf_put_c(&b, 0);
    assert_string_equal(b.at,
                        "# HELP a_total All of them.\n# TYPE a_total counter\na_total 12345678901234\n"
                        "# HELP b Each.\n# TYPE b gauge\nb{name=\"x\\\"y\\\\z\\nw\",other=\"\"} 1.500000\n");
    buf_reset(&b);
    metrics_process(&b);
    buf_put_c(&b, 0);
    assert_non_null(strstr(b.at, "\nprocess_resident_memory_bytes "));
    buf_done(&b);
}

static void fill(void *ctx, struct buf *out) {
    metrics_one(out, "answer", "gauge", "It.", *(int *)ctx);
}

static void ask(uint16_t port, const char *request, char *answer, size_t room) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    size_t n = 0;
    ssize_t got;
    while (n < room - 1 && (got = read(fd, answer + n, room - 1 - n)) > 0)
        n += (size_t)got;
    answer[n] = 0;
    close(fd);
}

static void page(void **state) {
    (void)state;
    struct net_addr at;
    struct err err;
    char answer[4096];
    int value = 42;
    assert_true(net_addr_parse(SLICE("127.0.0.1"), 0, &at));
    struct metrics_server *m = metrics_open(&at, &err);
    if (!m) fail_msg("%s", err.text);
    uint16_t port = metrics_port(m);
    assert_int_not_equal(port, 0);
    ask(port, "GET /metrics HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, " 503 "));
    metrics_ready(m, fill, &value);
    ask(port, "GET /metrics HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, " 200 "));
    assert_non_null(strstr(answer, "\nanswer 42\n"));
    ask(port, "GET /other HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, " 404 "));
    ask(port, "POST /metrics HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", answer, sizeof answer);
    assert_non_null(strstr(answer, " 405 "));
    at.port = port;
    assert_null(metrics_open(&at, &err));
    assert_non_null(strstr(err.text, "metrics.listen: 127.0.0.1:"));
    assert_non_null(strstr(err.text, "Address already in use"));
    metrics_close(m);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {cmocka_unit_test(format), cmocka_unit_test(page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
