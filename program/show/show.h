/* How numbers, states and progress are shown to people, and the same as JSON. */
#ifndef TSUBAME_SHOW_H
#define TSUBAME_SHOW_H

#include "engine.h"
#include "jdoc.h"
#include "load.h"
#include "report.h"

bool show_is_terminal(int fd);
/* Colours: a terminal, NO_COLOR unset, TERM not dumb. Escapes for `on` else "". */
const char *show_bold(bool on);
const char *show_red(bool on);
const char *show_dim(bool on);
const char *show_plain(bool on);

/* As shown_put: what could steer a terminal becomes '?'. */
void show_text(struct buf *out, struct slice text);

/* The class of a reply, or "not-made" where there was no mail to send (event_is_unmade); "-": neither. */
const char *show_reason(enum event_kind kind, uint8_t class, unsigned code);

/* "20,000 planned = 19,000 delivered + 800 failed + ... ", words that are zero left out save delivered and
 * pending. */
void show_equation(struct buf *out, const struct tally *t);

/* {"planned": ..., "delivered": ..., ...} into `object`. */
void show_tally_json(struct jdoc *object, const struct tally *t);
/* "transactional, weight 10, waits until 2026-...", and the same as JSON. waits: its time has not come. */
void show_course(struct buf *out, const struct campaign_course *c, bool waits);
void show_course_json(struct jdoc *object, const struct campaign_course *c);
bool show_course_is_plain(const struct campaign_course *c); /* the default */
void show_campaign_json(struct jdoc *object, const struct campaign_status *c);
void show_lane_json(struct jdoc *object, const struct lane_status *l);
bool show_campaign_from_json(const struct jdoc *object, struct campaign_status *c);

/* What a person must know to read the numbers right: lines, and a list of texts under "notes". */
void show_gap(struct buf *out, const struct history_gap *gap, bool colour);
void show_gap_json(struct jdoc *list, const struct history_gap *gap);
/* The same for campaigns that are held because their store was restored (restored.h). */
void show_restored(struct buf *out, struct store *store, const struct campaign_status *all, size_t count,
                   bool colour);
void show_restored_json(struct jdoc *list, struct store *store, const struct campaign_status *all,
                        size_t count);

/* The same for a campaign whose recipients were removed; campaign 0: nothing. */
void show_removed(struct buf *out, const struct history_removed *removed, bool colour);
void show_removed_json(struct jdoc *list, const struct history_removed *removed);

/* A table of campaigns, the newest first. */
void show_campaigns(struct buf *out, const struct campaign_status *all, size_t count, bool colour);

/* The progress of a campaign, seen now and then. */
struct progress {
    bool live; /* a line that is written over; else a line every few seconds */
    int fd;
    mono_us last; /* written */
    mono_us seen; /* the rate is of */
    uint64_t sent;
    double rate; /* mails a second, smoothed; < 0: not known yet */
    bool open;   /* a live line stands there unfinished */
};
void progress_init(struct progress *p, int fd);
void progress_loading(struct progress *p, mono_us now, const struct load_counts *counts, bool end);
/* busy: providers with open sessions; note: what holds it up, or NULL. */
void progress_sending(struct progress *p, mono_us now, const struct campaign_status *c, unsigned busy,
                      const char *note, bool end);
/* Ends a live line, before anything else is written. */
void progress_clear(struct progress *p);

#endif
