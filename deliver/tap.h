/* What a wire tells those who watch it (trace.h). A wire's `taps` is NULL while nobody does. On the worker's
 * thread. */
#ifndef TSUBAME_TAP_H
#define TSUBAME_TAP_H

#include "trace.h"
#include "worker.h"

struct tap;

/* MSG_TRACE and MSG_UNTRACE have come. */
void tap_trace_in(struct worker *w, struct trace *t);
void tap_trace_out(struct worker *w, struct trace *t); /* after the wires' tap_drop */

/* Does a trace of this worker, or this one (not NULL), watch the session, whoever it is that it writes to?
 * `skip` of the next bytes that it sends may be content. */
void tap_session(struct worker *w, struct tap **taps, struct trace *only, const struct session *s,
                 uint64_t skip);
/* The same, for those that look for a recipient or a campaign. */
void tap_window(struct worker *w, struct tap **taps, const struct window *window, uint64_t skip);

void tap_sent(struct tap *taps, struct slice bytes);
void tap_received(struct tap *taps, struct slice bytes);
void tap_note(struct tap *taps, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tap_outcome(struct tap **taps, struct slice to, const struct outcome *o);
/* Another connection of the session begins, or it is over (then tap_end). */
void tap_cut(struct tap *taps);
void tap_end(struct tap **taps, struct slice why);
/* That trace watches no more. */
void tap_drop(struct tap **taps, struct trace *t);

#endif
