/* Plain ECMA-48, as every terminal of the last decades knows it. Signals are let in only while it waits, so
 * that none is missed between looking and waiting. */
#include "screen.h"

#include "show.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER  "\033[?1049h\033[?25l"
#define LEAVE  "\033[0m\033[?25h\033[?1049l"
#define HOME   "\033[H"
#define TO_EOL "\033[0m\033[K"
#define TO_END "\033[J"

static struct termios before;
static volatile sig_atomic_t taken, over, resized, stopped;
static sigset_t blocked_before;

/* ---- size ---- */

static bool size_of(int fd, struct winsize *size) {
    return ioctl(fd, TIOCGWINSZ, size) == 0 && size->ws_col > 0 && size->ws_row > 0;
}

size_t screen_width(int fd, size_t otherwise) {
    struct winsize size;
    return size_of(fd, &size) ? size.ws_col : otherwise;
}

size_t screen_height(int fd, size_t otherwise) {
    struct winsize size;
    return size_of(fd, &size) ? size.ws_row : otherwise;
}

/* ---- taking it, giving it back ---- */

static void put(const char *text, size_t n) {
    while (n) {
        ssize_t w = write(STDOUT_FILENO, text, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) {
            over = 1;
            return;
        }
        text += w;
        n -= (size_t)w;
    }
}

/* Also from a handler of signals: nothing here may not be called there. */
static void give_back(void) {
    if (!taken) return;
    taken = 0;
    ssize_t ignored = write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
    (void)ignored;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

static void take(void) {
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    taken = 1;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    put(ENTER, sizeof ENTER - 1);
}

static void on_signal(int number) {
    if (number == SIGWINCH)
        resized = 1;
    else if (number == SIGTSTP)
        stopped = 1;
    else
        over = 1;
}

/* The program is broken: at least its terminal is not. */
static void on_fault(int number) {
    give_back();
    signal(number, SIG_DFL);
    raise(number);
}

static const int asked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
static const int faults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

int screen_open(struct err *err) {
    sigset_t set;
    struct sigaction action = {.sa_handler = on_signal}, fault = {.sa_handler = on_fault};
    if (tcgetattr(STDIN_FILENO, &before)) return err_errno(err, errno, "the terminal");
    over = resized = stopped = 0;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        sigaddset(&set, asked[i]);
        sigaction(asked[i], &action, NULL);
    }
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigaction(faults[i], &fault, NULL);
    sigprocmask(SIG_BLOCK, &set, &blocked_before);
    atexit(give_back);
    take();
    return 0;
}

void screen_close(void) {
    give_back();
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        signal(asked[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &blocked_before, NULL);
}

/* Ctrl-Z: the shell gets its terminal, and we another one when we go on. */
static void stop(void) {
    sigset_t set, old;
    stopped = 0;
    give_back();
    signal(SIGTSTP, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, &old); /* here it stops */
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigaction(SIGTSTP, &(struct sigaction){.sa_handler = on_signal}, NULL);
    take();
}

/* ---- keys ---- */

static const struct {
    const char *bytes;
    int key;
} sequences[] = {{"\033[A", SCREEN_UP},   {"\033[B", SCREEN_DOWN},     {"\033OA", SCREEN_UP},
                 {"\033OB", SCREEN_DOWN}, {"\033[5~", SCREEN_PAGE_UP}, {"\033[6~", SCREEN_PAGE_DOWN}};

static char typed[64]; /* and not taken */
static size_t typed_len;

/* The first key of what was typed. 0: one that means nothing, or none. */
static int take_key(void) {
    size_t n = 1;
    int key = (unsigned char)typed[0];
    if (!typed_len) return 0;
    if (typed[0] == '\033') { /* its bytes come at once; up to a letter or '~' */
        key = 0;
        if (typed_len > 1 && (typed[1] == '[' || typed[1] == 'O')) n = 2;
        while (n > 1 && n < typed_len && !ascii_alpha(typed[n]) && typed[n] != '~')
            n++;
        if (n > 1 && n < typed_len) n++;
    }
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++)
        if (n == strlen(sequences[i].bytes) && memcmp(typed, sequences[i].bytes, n) == 0)
            key = sequences[i].key;
    typed_len -= n;
    memmove(typed, typed + n, typed_len);
    return key;
}

/* False: the terminal is gone. */
static bool read_keys(void) {
    ssize_t n = read(STDIN_FILENO, typed + typed_len, sizeof typed - typed_len);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (n > 0) typed_len += (size_t)n;
    return n > 0;
}

enum screen_event screen_wait(mono_us until, int *key) {
    sigset_t none;
    sigemptyset(&none);
    for (;;) {
        mono_us left = until - clock_mono();
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        struct timespec wait = {0};
        while (typed_len)
            if ((*key = take_key())) return SCREEN_KEY;
        if (left > 0) wait = (struct timespec){left / US_PER_SEC, (long)(left % US_PER_SEC) * 1000};
        int n = ppoll(&in, 1, &wait, &none);
        if (over) return SCREEN_OVER;
        if (stopped) {
            stop();
            return SCREEN_RESIZED;
        }
        if (resized) {
            resized = 0;
            return SCREEN_RESIZED;
        }
        if (n == 0) return SCREEN_TIME;
        if (n < 0) continue;
        if (!read_keys()) return SCREEN_OVER;
    }
}

/* ---- drawing ---- */

static const char *style_of(char style) {
    switch (style) {
    case 'b': return show_bold(true);
    case 'd': return show_dim(true);
    case '!': return show_red(true);
    case 'r': return "\033[7m";
    default: return "";
    }
}

/* Over what stands there, so that nothing flickers. */
void screen_draw(struct slice lines) {
    struct slice line;
    struct buf out;
    bool first = true;
    buf_init(&out, 1 << 20);
    buf_put_text(&out, HOME);
    while (slice_cut(&lines, '\n', &line)) {
        if (!line.len) continue;
        if (!first) buf_put_text(&out, "\r\n");
        first = false;
        buf_put_text(&out, style_of(line.at[0]));
        buf_put_slice(&out, slice_skip(line, 1));
        buf_put_text(&out, TO_EOL);
    }
    buf_put_text(&out, TO_END);
    if (!out.failed) put(out.at, out.len);
    buf_done(&out);
}
