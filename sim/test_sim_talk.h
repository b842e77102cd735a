/* For tests: a client of one fake host, without sockets. */
#ifndef TSUBAME_TEST_SIM_TALK_H
#define TSUBAME_TEST_SIM_TALK_H

#include "sim_smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct bench {
    struct sim_scenario scenario;
    struct sim_world world;
    struct sim_session session;
    struct buf out;
};

static inline void open_text(struct bench *b, const char *text) {
    struct err err = {0};
    if (sim_scenario_parse(&b->scenario, slice_of(text), "test.yaml", &err)) fail_msg("%s", err.text);
    assert_int_equal(sim_world_init(&b->world, &b->scenario, b->scenario.seed, &err), 0);
    assert_int_equal(sim_truth_open(&b->world.truth, NULL, false, &err), 0);
    b->world.now = 1000;
    buf_init(&b->out, 16 << 20);
}

static inline void call(struct bench *b, const char *host) {
    struct sim_name name = sim_names_find(&b->scenario, slice_of(host));
    assert_int_equal(name.kind, SIM_NAME_HOST);
    buf_reset(&b->out);
    sim_smtp_init(&b->session, &b->world, &name, sim_names_address(&name), 0x7f000001);
    sim_smtp_feed(&b->session, (struct slice){0});
}

static inline void hang_up(struct bench *b) {
    sim_smtp_done(&b->session);
}

static inline void done(struct bench *b) {
    buf_done(&b->out);
    struct err err;
    sim_truth_close(&b->world.truth, &err);
    sim_world_done(&b->world);
    sim_scenario_done(&b->scenario);
}

/* Feeds `in` in pieces of `size` bytes, waiting when told to, and gathers the answers. */
static inline void talk(struct bench *b, struct slice in, size_t size) {
    struct sim_session *s = &b->session;
    size_t from = 0, upto = 0;
    while (s->want == SIM_WANT_INPUT || s->want == SIM_WANT_WAIT) {
        upto = upto + size < in.len ? upto + size : in.len;
        size_t taken = sim_smtp_feed(s, (struct slice){in.at + from, upto - from});
        buf_put_slice(&b->out, buf_slice(&s->out));
        buf_reset(&s->out);
        from += taken;
        if (s->want == SIM_WANT_WAIT)
            b->world.now += s->wait_us;
        else if (upto == in.len && taken == 0)
            break;
    }
}

/* The codes of the replies, such as "220 250 354": of several lines the last. */
static inline const char *codes(struct bench *b, char out[400]) {
    struct slice rest = buf_slice(&b->out), line;
    size_t len = 0;
    while (slice_cut(&rest, '\n', &line)) {
        if (!rest.at || line.len < 5 || line.at[3] != ' ') continue; /* cut off, or not the last line */
        if (len + 5 > 400) fail_msg("too many replies");
        if (len) out[len++] = ' ';
        memcpy(out + len, line.at, 3);
        len += 3;
    }
    out[len] = 0;
    return out;
}

#define BEGIN "EHLO me\r\n"

/* Envelope, DATA, content; each after the answer to the one before. Returns the last code. */
static inline const char *send_mail(struct bench *b, const char *to, struct slice content, size_t size) {
    static char text[400];
    char line[300];
    buf_reset(&b->out);
    snprintf(line, sizeof line, "MAIL FROM:<me@here.test>\r\n");
    talk(b, slice_of(line), size);
    snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", to);
    talk(b, slice_of(line), size);
    talk(b, SLICE("DATA\r\n"), size);
    buf_reset(&b->out);
    talk(b, content, size);
    return codes(b, text);
}

#endif
