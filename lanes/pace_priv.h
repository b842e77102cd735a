/* Between the files of pace. */
#ifndef TSUBAME_PACE_PRIV_H
#define TSUBAME_PACE_PRIV_H

#include "pace.h"

#define PACE_SHORTEST_STEP (1 * US_PER_SEC)

static const double pace_below = 0.985;     /* of what is known: where it holds */
static const double pace_refuted_at = 1.15; /* of what is known: it is more when this is taken */

mono_us pace_time_for(double messages, double a_second);
mono_us pace_later(mono_us a, mono_us b);
void pace_set_cap(struct pace *p, double cap);
void pace_begin_step(struct pace *p, enum pace_mode mode, mono_us rtt, mono_us now);
void pace_try_later(struct pace *p);

/* What was taken beyond `known` before the first refusal. */
void pace_note_burst(struct pace *p, mono_us until, mono_us now);
/* In the last window, a second. */
double pace_window_average(struct pace *p, mono_us now);
void pace_shut(struct pace *p, mono_us rtt, mono_us now);
/* Something was taken again: what is the limit? */
void pace_opened(struct pace *p, mono_us rtt, mono_us now);

#endif
