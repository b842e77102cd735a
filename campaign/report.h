/* Reports: sums of a campaign, its recipients one by one, and what happened to one address. Readers of a
 * view. */
#ifndef TSUBAME_REPORT_H
#define TSUBAME_REPORT_H

#include "address.h"
#include "view.h"

enum {
    REPORT_NAME_MAX = 128,
    REPORT_WORDS_MAX = 200,
    REPORT_PROVIDERS_MAX = 4096,
    REPORT_REASONS_MAX = 1024
};

struct report_provider {
    char name[REPORT_NAME_MAX]; /* "" for those not tried yet; "..." for all beyond the maximum */
    uint64_t total;
    uint64_t fates[FATES];
};

/* Recipients that share a fate and its reason. */
struct report_reason {
    enum fate fate;
    uint8_t class; /* enum classify_class */
    uint16_t code;
    uint16_t enhanced[3];
    uint64_t count;
    char words[REPORT_WORDS_MAX]; /* of one of them */
    char host[REPORT_NAME_MAX];   /* who said it */
};

struct report {
    struct tally tally; /* counted from the recipients; rejected and duplicates as the load counted them */
    uint64_t leased, deferred;         /* parts of pending */
    uint64_t doubted;                  /* recipients, not attempts */
    struct report_provider *providers; /* the largest first */
    size_t provider_count;
    struct report_reason *reasons; /* by fate, the most frequent first */
    size_t reason_count;
    struct history_removed removed; /* campaign 0: it was not. Else the tally is the ledger's own, and there
                                       is nothing below it */
};

/* Walks all recipients. On success the caller calls report_done. */
int report_make(struct view *v, const struct campaign_row *row, struct report *r, struct err *err);
void report_done(struct report *r);

/* Does the ledger's own count say the same? 0, or -1 with the differences in words. */
int report_compare(const struct report *r, const struct tally *ledger, struct err *err);

struct report_recipient {
    uint64_t rid;
    struct slice address;
    const struct fold_slot *slot;
};

/* Every recipient in order (ERR_ABSENT: they were removed); `each` returns other than 0 to stop (then that is
 * returned). -1 with err. */
int report_recipients(struct view *v, const struct campaign_row *row,
                      int (*each)(void *ctx, const struct report_recipient *r), void *ctx, struct err *err);

/* Finds an address in a campaign: 1 and *r (valid until the next call on the view), 0 when it is not in it,
 * -1. With `each` every event of the recipient is handed over too, the oldest first, before this returns. */
int report_find(struct view *v, const struct campaign_row *row, const struct address *address,
                struct report_recipient *r, void (*each)(void *ctx, const struct event *e), void *ctx,
                struct err *err);

#endif
