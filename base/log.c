/* logfmt lines, gathered in a buffer for each thread. The time stamp's text is kept for a whole millisecond.
 */
#include "log.h"

#include "buf.h"
#include "clock.h"
#include "shown.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

enum { GATHER_MAX = 128 * 1024, FLUSH_AT = 48 * 1024, VALUE_MAX = 1024 };

static atomic_int log_fd = STDERR_FILENO; /* a reload changes them while others log */
static atomic_int log_most = LOG_LEVEL_WARN;

struct gatherer {
    struct buf lines;
    bool known; /* its thread's end will be told */
    bool open;  /* a line is being written, and its level is on */
    enum log_level level;
    wall_us stamped;
    char stamp[CLOCK_TEXT_MAX];
};
static _Thread_local struct gatherer here = {.lines = {.max = GATHER_MAX}};

static pthread_key_t thread_end;
static bool thread_end_good;
static pthread_once_t thread_end_made = PTHREAD_ONCE_INIT;

/* A thread ends: what it has gathered is written, the memory given back. */
static void end_thread(void *gatherer) {
    struct gatherer *g = gatherer;
    log_flush();
    buf_done(&g->lines);
}

static void make_thread_end(void) {
    thread_end_good = pthread_key_create(&thread_end, end_thread) == 0;
}

static void know_thread(void) {
    pthread_once(&thread_end_made, make_thread_end);
    if (thread_end_good) pthread_setspecific(thread_end, &here);
    here.known = true;
}

void log_setup(int fd, enum log_level most) {
    log_fd = fd;
    log_most = most;
}

bool log_on(enum log_level level) {
    int most = atomic_load_explicit(&log_most, memory_order_relaxed);
    return (int)level <= most && most != LOG_LEVEL_OFF;
}

void log_begin(enum log_level level, const char *event) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    here.open = log_on(level);
    if (!here.open) return;
    if (!here.known) know_thread();
    here.level = level;
    wall_us now = clock_wall() / US_PER_MS;
    if (now != here.stamped) {
        here.stamped = now;
        clock_rfc3339(now * US_PER_MS, here.stamp);
    }
    buf_put_text(&here.lines, "ts=");
    buf_put_text(&here.lines, here.stamp);
    buf_put_text(&here.lines, " level=");
    buf_put_text(&here.lines, names[level]);
    buf_put_text(&here.lines, " event=");
    buf_put_text(&here.lines, event);
}

static bool plain(struct slice value) {
    if (value.len == 0) return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return false;
    }
    return true;
}

/* Bytes that may not be shown, one by one. */
static void put_hex(struct buf *b, struct slice bytes) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        buf_put(b, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
    }
}

static void put_quoted(struct buf *b, struct slice value) {
    buf_put_c(b, '"');
    while (value.len) {
        bool good;
        size_t n = shown_next(value, &good);
        char c = value.at[0];
        if (c == '"' || c == '\\')
            buf_put_c(b, '\\'), buf_put_c(b, c);
        else if (c == '\n')
            buf_put_text(b, "\\n");
        else if (c == '\r')
            buf_put_text(b, "\\r");
        else if (good)
            buf_put(b, value.at, n);
        else
            put_hex(b, slice_make(value.at, n));
        value = slice_skip(value, n);
    }
    buf_put_c(b, '"');
}

static void put_key(const char *key) {
    buf_put_c(&here.lines, ' ');
    buf_put_text(&here.lines, key);
    buf_put_c(&here.lines, '=');
}

void log_slice(const char *key, struct slice value) {
    if (!here.open) return;
    if (value.len > VALUE_MAX) value.len = VALUE_MAX;
    put_key(key);
    if (plain(value))
        buf_put_slice(&here.lines, value);
    else
        put_quoted(&here.lines, value);
}

void log_text(const char *key, const char *value) {
    log_slice(key, slice_of(value));
}

void log_number(const char *key, int64_t value) {
    if (!here.open) return;
    put_key(key);
    if (value < 0) buf_put_c(&here.lines, '-');
    buf_put_u64(&here.lines, value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value);
}

void log_end(void) {
    if (!here.open) return;
    here.open = false;
    buf_put_c(&here.lines, '\n');
    if (here.level <= LOG_LEVEL_WARN || here.lines.len >= FLUSH_AT || here.lines.failed) log_flush();
}

void log_say(enum log_level level, const char *event, ...) {
    va_list args;
    va_start(args, event);
    log_begin(level, event);
    for (const char *key; (key = va_arg(args, const char *));)
        log_text(key, va_arg(args, const char *));
    log_end();
    va_end(args);
}

void log_flush(void) {
    struct slice rest = buf_slice(&here.lines);
    while (rest.len) {
        ssize_t n = write(log_fd, rest.at, rest.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break; /* a log that can't be written must not stop the mail */
        rest = slice_skip(rest, (size_t)n);
    }
    buf_reset(&here.lines);
}
