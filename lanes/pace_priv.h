/* Between the files of pace. */
#ifndef TSUBAME_PACE_PRIV_H
#define TSUBAME_PACE_PRIV_H

#include "pace.h"

#define PACE_SHORTEST_STEP (1 * US_PER_SEC)
#define PACE_PROBE_FIRST   (30 * US_PER_SEC) /* from a failed climb to the next */

static const double pace_messages_a_probe = 200; /* at least, too */

static const double pace_below = 0.985;     /* of what is known: where it holds */
static const double pace_refuted_at = 1.15; /* of what is known: it is more when this is taken */

mono_us pace_time_for(double messages, double a_second);
mono_us pace_later(mono_us a, mono_us b);
void pace_set_cap(struct pace *p, double cap);
void pace_begin_step(struct pace *p, enum pace_mode mode, mono_us rtt, mono_us now);
void pace_try_later(struct pace *p);
void pace_hold(struct pace *p, mono_us now);
/* step: 0.02 is 2 % */
void pace_climb_from(struct pace *p, double step, mono_us rtt, mono_us now);
mono_us pace_step_time(const struct pace *p, mono_us rtt);

/* The share that is refused by chance, as far as it is known; is it so much that a little more doesn't show
 * at once? Then a step of a climb takes this time. */
double pace_base(const struct pace *p);
bool pace_is_noisy(const struct pace *p);
mono_us pace_noisy_step_time(const struct pace *p);
/* A share that would be no news; that is known to be chance. */
double pace_asked(const struct pace *p);
double pace_trusted(const struct pace *p);
/* The answers of this step came while no limit was near. */
void pace_learn_base(struct pace *p);
/* Slower, for long enough to tell whether tried_share is chance or a limit's. */
void pace_contrast(struct pace *p, mono_us rtt, mono_us now);

/* The answers of this step, as of that pace, are weighed with all of a new lane's. */
void pace_note_evidence(struct pace *p, double pace, mono_us now);
/* The climb into the unknown begins anew. */
void pace_is_new(struct pace *p);

/* What was taken beyond `known` before the first refusal. */
void pace_note_burst(struct pace *p, mono_us until, mono_us now);
/* In the last window, a second. */
double pace_window_average(struct pace *p, mono_us now);
void pace_shut(struct pace *p, mono_us rtt, mono_us now);
/* Something was taken again: what is the limit? */
void pace_opened(struct pace *p, mono_us rtt, mono_us now);

#endif
