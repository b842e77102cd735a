/* tsubame top: the lanes, live. */
#include "asking.h"
#include "command.h"
#include "screen.h"
#include "show.h"
#include "top_view.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LANES_MOST = 500, ANSWER_S = 5 };

static const struct arg args[] = {
    {"sort", 0, "KEY", "by waiting (the default), rate, deferred, sessions or provider"},
    {"interval", 0, "TIME", "how often it looks (1s)"},
    {"once", 0, NULL, "prints one frame and ends; so it does where standard output is no terminal"},
};

struct top {
    const struct options *options;
    const char *sort;
    struct talk server;
    bool connected;
    struct jdoc *reply; /* the last one; NULL: none yet */
    struct lane_view lanes[LANES_MOST];
    struct top_frame frame;
    double history[TOP_HISTORY];
    char provider[128], source[128]; /* of the selected lane, */
    size_t above;                    /* and how many of the same name stand above it */
    char lost[512];
};

/* ---- asking ---- */

static struct jdoc *request_of(const struct top *t) {
    struct jdoc *request = jdoc_object();
    jdoc_put_text(request, "do", SLICE("lanes"));
    jdoc_put_text(request, "sort", slice_of(t->sort));
    jdoc_put_number(request, "most", LANES_MOST);
    return request;
}

static int connect_to(struct top *t, struct err *err) {
    struct timeval timeout = {ANSWER_S, 0};
    if (t->connected) return 0;
    if (asking_connect(&t->server, t->options, err)) return -1;
    setsockopt(t->server.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    t->connected = true;
    return 0;
}

static int ask(struct top *t, struct err *err) {
    if (connect_to(t, err)) return -1;
    struct jdoc *reply = asking_for(&t->server, request_of(t), err);
    if (!reply) {
        talk_done(&t->server);
        t->connected = false;
        return -1;
    }
    jdoc_free(t->reply);
    t->reply = reply;
    return 0;
}

/* ---- a frame ---- */

static bool is_chosen(const struct top *t, const struct lane_view *v) {
    return slice_eq(v->provider, slice_of(t->provider)) && slice_eq(v->source, slice_of(t->source));
}

/* The lane that was chosen before, wherever it stands now: of several of one name the one with as many of
 * them above it. */
static void find_selected(struct top *t) {
    struct top_frame *f = &t->frame;
    size_t same = 0, last = f->lane_count;
    for (size_t i = 0; i < f->lane_count && same <= t->above; i++)
        if (is_chosen(t, &f->lanes[i])) last = i, same++;
    if (last < f->lane_count) {
        f->selected = last;
        return;
    }
    if (f->selected >= f->lane_count) f->selected = f->lane_count ? f->lane_count - 1 : 0;
}

static void remember(struct top *t, double rate) {
    struct top_frame *f = &t->frame;
    if (f->history_count == TOP_HISTORY)
        memmove(t->history, t->history + 1, (--f->history_count) * sizeof t->history[0]);
    t->history[f->history_count++] = rate;
    f->history = t->history;
}

static void read_frame(struct top *t) {
    struct top_frame *f = &t->frame;
    const struct jdoc *o = t->reply, *queue = jdoc_get(o, "queue"), *counters = jdoc_get(o, "counters"),
                      *notes = jdoc_get(o, "notes"), *rest = jdoc_get(o, "rest"),
                      *list = jdoc_get(o, "lanes");
    f->time = jdoc_text(o, "time");
    f->campaigns = jdoc_number(queue, "campaigns", 0);
    f->pending = jdoc_number(queue, "pending", 0);
    f->under_way = jdoc_number(queue, "under_way", 0);
    f->deferred = jdoc_number(queue, "deferred", 0);
    f->sessions = jdoc_number(counters, "sessions_open", 0);
    f->delivered = jdoc_number(counters, "delivered", 0);
    f->refused = jdoc_number(counters, "deferred", 0);
    f->failed = jdoc_number(counters, "failed", 0);
    f->rate = jdoc_real(jdoc_get(o, "in_all"), "messages_per_second", 0);
    f->trouble = jdoc_text(counters, "trouble");
    f->notes = jdoc_count(notes);
    f->note = f->notes ? jdoc_item_as_text(notes, 0) : SLICE("");
    f->more_lanes = jdoc_number(rest, "lanes", 0);
    f->more_waiting = jdoc_number(rest, "waiting", 0);
    f->lanes = t->lanes;
    f->lane_count = jdoc_count(list) < LANES_MOST ? jdoc_count(list) : LANES_MOST;
    for (size_t i = 0; i < f->lane_count; i++)
        lane_view_read(&t->lanes[i], jdoc_item(list, i), f->time);
    f->sort = t->sort;
    find_selected(t);
}

/* ---- live ---- */

static void draw(struct top *t) {
    struct buf lines;
    buf_init(&lines, 1 << 20);
    t->frame.sort = t->sort;
    top_layout(&t->frame, screen_width(STDOUT_FILENO, 80), screen_height(STDOUT_FILENO, 24), &lines);
    screen_draw(buf_slice(&lines));
    buf_done(&lines);
}

static void look(struct top *t) {
    struct err err;
    if (ask(t, &err) == 0) {
        read_frame(t);
        remember(t, t->frame.rate);
        t->frame.lost = NULL;
        return;
    }
    char now[CLOCK_TEXT_MAX];
    if (t->frame.lost) return; /* since when stands there already */
    clock_rfc3339(clock_wall(), now);
    snprintf(t->lost, sizeof t->lost, "The server does not answer since %.8s UTC, tried again: %.300s",
             now + 11, err.text);
    t->frame.lost = t->lost;
}

static void choose(struct top *t, int64_t by) {
    struct top_frame *f = &t->frame;
    if (!f->lane_count) return;
    int64_t to = (int64_t)f->selected + by;
    f->selected = to < 0 ? 0 : to >= (int64_t)f->lane_count ? f->lane_count - 1 : (size_t)to;
    const struct lane_view *v = &f->lanes[f->selected];
    snprintf(t->provider, sizeof t->provider, "%.*s", SLICE_ARG(v->provider));
    snprintf(t->source, sizeof t->source, "%.*s", SLICE_ARG(v->source));
    t->above = 0;
    for (size_t i = 0; i < f->selected; i++)
        t->above += is_chosen(t, &f->lanes[i]);
}

static const struct {
    char key;
    const char *sort;
} sorts[] = {{'w', "waiting"}, {'r', "rate"}, {'d', "deferred"}, {'s', "sessions"}, {'p', "provider"}};

/* False: it is to end. *ask: at once, not at the next time. */
static bool take_key(struct top *t, int key, bool *ask_now) {
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
        if (key == sorts[i].key) {
            t->sort = sorts[i].sort;
            *ask_now = true;
        }
    if (key == SCREEN_UP || key == 'k') choose(t, -1);
    if (key == SCREEN_DOWN || key == 'j') choose(t, 1);
    if (key == SCREEN_PAGE_UP) choose(t, -10);
    if (key == SCREEN_PAGE_DOWN) choose(t, 10);
    if (key == ' ') *ask_now = true;
    return key != 'q' && key != 'Q' && key != 4;
}

static int run_live(struct top *t, int64_t interval) {
    struct err err;
    if (screen_open(&err)) return command_fail(&err);
    t->frame.keys = true;
    mono_us next = 0;
    bool on = true;
    while (on) {
        int key = 0;
        if (clock_mono() >= next) {
            look(t);
            next = clock_mono() + interval;
        }
        draw(t);
        bool ask_now = false;
        switch (screen_wait(next, &key)) {
        case SCREEN_KEY: on = take_key(t, key, &ask_now); break;
        case SCREEN_OVER: on = false; break;
        case SCREEN_TIME:
        case SCREEN_RESIZED: break;
        }
        if (ask_now) next = 0;
    }
    screen_close();
    return EXIT_DONE;
}

/* ---- frames on standard output ---- */

static void put_frame(struct top *t, struct buf *out) {
    struct buf lines;
    struct slice rest, one;
    size_t width = screen_width(STDOUT_FILENO, 200);
    buf_init(&lines, 1 << 20);
    read_frame(t);
    remember(t, t->frame.rate);
    top_layout(&t->frame, width, t->frame.lane_count + 32, &lines);
    rest = buf_slice(&lines);
    while (slice_cut(&rest, '\n', &one)) {
        while (one.len > 1 && one.at[one.len - 1] == ' ')
            one.len--;
        if (one.len) buf_printf(out, "%.*s\n", SLICE_ARG(slice_skip(one, 1)));
    }
    buf_done(&lines);
}

static int print_frames(struct top *t, bool json, bool once, int64_t interval) {
    struct err err;
    struct buf out;
    for (;;) {
        bool enough = false;
        if (ask(t, &err)) return command_fail(&err);
        buf_init(&out, 64 << 20);
        if (json)
            jdoc_write(t->reply, once, &out);
        else
            put_frame(t, &out);
        int code = command_print_on(&out, &enough);
        buf_done(&out);
        if (code || enough || once) return code;
        usleep((useconds_t)interval);
    }
}

static bool known_sort(const char *sort) {
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
        if (strcmp(sort, sorts[i].sort) == 0) return true;
    return false;
}

static int run(struct invocation *in) {
    const char *interval = invocation_value(in, "interval"), *sort = invocation_value(in, "sort");
    int64_t every = US_PER_SEC;
    if (interval &&
        (!units_duration(slice_of(interval), &every) || every < US_PER_SEC / 10 || every > 60 * US_PER_SEC))
        return command_complain(EXIT_USAGE, "top: '%s' is no time that --interval takes: 100ms to 1m",
                                interval);
    if (sort && !known_sort(sort))
        return command_complain(EXIT_USAGE,
                                "top: '%s' is none of waiting, rate, deferred, sessions, provider", sort);
    struct top *t = calloc(1, sizeof *t);
    if (!t) return command_complain(EXIT_FAILED, "out of memory");
    t->options = in->options;
    t->sort = sort ? sort : sorts[0].sort;
    bool terminal = show_is_terminal(STDOUT_FILENO) && isatty(STDIN_FILENO);
    bool once = invocation_has(in, "once") || (!in->json && !terminal);
    int code = once || in->json ? print_frames(t, in->json, once, every) : run_live(t, every);
    if (t->connected) talk_done(&t->server);
    jdoc_free(t->reply);
    free(t);
    return code;
}

const struct command command_top = {
    .name = "top",
    .summary = "the lanes, live: what waits, how fast it goes, what holds it up",
    .text = "Above what goes on in all, with the messages a second of the last minutes; then the lanes "
            "(their columns are those of "
            "`tsubame lanes`); below why the chosen lane is as fast as it is. Keys: q ends, the arrows "
            "choose a lane, w, r, d, s and p "
            "sort by waiting, rate, deferred, sessions and provider, the space bar looks at once.\n"
            "When the server goes away it says so, and goes on when it is back. --json prints an object a "
            "line, every interval.\n",
    .examples = "  tsubame top\n  tsubame top --sort rate --interval 5s\n  tsubame top --once\n  tsubame top "
                "--json --once\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .run = run,
};
