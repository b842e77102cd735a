/* The truth log: lines into a buffer, the buffer into a file. */
#include "sim_truth.h"

#include "sim_scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES_MAX = 256 << 20 };

const char *const sim_event_names[] = {"accepted", "accepted-unanswered", "unknown", "refused", "deferred",
                                       "fault",    "withdrawn",           NULL};
const char *const sim_cause_names[] = {"-",
                                       "limit.connections",
                                       "limit.connections_per_minute",
                                       "limit.messages",
                                       "limit.rate",
                                       "limit.daily",
                                       "limit.mailbox",
                                       "limit.recipients",
                                       "limit.session_recipients",
                                       "limit.size",
                                       "knocking",
                                       "greylist",
                                       "reputation.slow",
                                       "reputation.defer",
                                       "reputation.block",
                                       "maintenance",
                                       "fault",
                                       "chance",
                                       "content",
                                       "unknown",
                                       "full",
                                       "relay",
                                       "tls",
                                       "protocol",
                                       NULL};
_Static_assert(sizeof sim_cause_names / sizeof *sim_cause_names == SIM_CAUSES + 1, "a name for each cause");
_Static_assert(SIM_CAUSE_SIZE - SIM_CAUSE_LIMIT == (int)SIM_LIMITS, "a cause for each limit");

static const char header[] = "time_us\tevent\tprovider\tserver\tclient\tfrom\trcpt\tmessage_"
                             "id\tsize\thash\ttls\treply\tcause\tsim_us\n";

static void put_clean(struct buf *b, struct slice s) {
    char *to = buf_room(b, s.len + 1);
    if (!to) return;
    for (size_t i = 0; i < s.len; i++)
        to[i] = (unsigned char)s.at[i] < ' ' || s.at[i] == 127 ? '?' : s.at[i];
    to[s.len] = '\t';
    buf_grew(b, s.len + 1);
}

static void put_address(struct buf *b, uint32_t a) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_put_u64(b, a >> shift & 255);
        buf_put_c(b, shift ? '.' : '\t');
    }
}

void sim_truth_add(struct sim_truth *t, const struct sim_truth_line *line) {
    struct buf *b = &t->lines;
    t->count[line->event]++;
    if (t->fd < 0 || (t->only_accepted && line->event > SIM_EVENT_UNANSWERED)) return;
    buf_put_u64(b, (uint64_t)line->time);
    buf_put_c(b, '\t');
    buf_put_text(b, sim_event_names[line->event]);
    buf_put_c(b, '\t');
    put_clean(b, line->provider);
    put_address(b, line->server);
    put_address(b, line->client);
    put_clean(b, line->from);
    put_clean(b, line->rcpt);
    put_clean(b, line->message_id);
    buf_put_u64(b, line->size);
    buf_put_c(b, '\t');
    put_clean(b, line->hash);
    buf_put_text(b, line->tls ? "yes\t" : "no\t");
    put_clean(b, line->reply);
    buf_put_text(b, sim_cause_names[line->cause]);
    buf_put_c(b, '\t');
    buf_put_u64(b, (uint64_t)line->sim_time);
    buf_put_c(b, '\n');
}

int sim_truth_open(struct sim_truth *t, const char *path, bool only_accepted, struct err *err) {
    *t = (struct sim_truth){.fd = -1, .only_accepted = only_accepted};
    buf_init(&t->lines, LINES_MAX);
    if (!path) return 0;
    t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (t->fd < 0) return err_errno(err, errno, "%s", path);
    struct stat st;
    if (fstat(t->fd, &st) == 0 && st.st_size == 0) buf_put_text(&t->lines, header);
    return sim_truth_flush(t, err);
}

int sim_truth_flush(struct sim_truth *t, struct err *err) {
    size_t done = 0;
    if (t->lines.failed) return err_set(err, ERR_SYSTEM, "truth log: out of memory");
    while (done < t->lines.len) {
        ssize_t n = write(t->fd, t->lines.at + done, t->lines.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, errno, "truth log");
        done += (size_t)n;
    }
    buf_reset(&t->lines);
    return 0;
}

int sim_truth_close(struct sim_truth *t, struct err *err) {
    int rc = t->fd < 0 ? 0 : sim_truth_flush(t, err);
    if (t->fd >= 0 && close(t->fd) < 0 && rc == 0) rc = err_errno(err, errno, "truth log");
    t->fd = -1;
    buf_done(&t->lines);
    return rc;
}
