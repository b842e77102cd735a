/* The truth log against the list that a mailer was to send to: for mailers without a ledger.
 *
 * 16 bytes of memory for each row of either. Addresses are compared without case. */
#ifndef TSUBAME_SIM_SENT_H
#define TSUBAME_SIM_SENT_H

#include "buf.h"
#include "err.h"
#include "sim_truth.h"

enum sim_sent_problem {
    SIM_SENT_MISSING,   /* listed, and neither accepted nor refused for good */
    SIM_SENT_RESENT,    /* the same mail (by Message-ID) accepted more often than listed */
    SIM_SENT_TWICE,     /* several mails (by Message-ID) accepted for somebody listed less often */
    SIM_SENT_STRANGER,  /* accepted for somebody who is not listed */
    SIM_SENT_WITHDRAWN, /* accepted, and thrown away for what came later in the session */
    SIM_SENT_NO_ID,     /* accepted without a Message-ID */
    SIM_SENT_SHARED_ID, /* one Message-ID for several recipients; a problem only when asked for */
    SIM_SENT_PROBLEMS
};

enum { SIM_SENT_EXAMPLES = 10, SIM_SENT_EXAMPLE_MAX = 260 };

struct sim_sent_findings {
    uint64_t listed, arrived, refused; /* rows of the list: with a mail; refused for good */
    uint64_t put_off, never_seen;      /* the missing: with a 4xx as the last word; without a word */
    uint64_t truth_rows, truth[SIM_EVENTS];
    uint64_t problem[SIM_SENT_PROBLEMS];
    uint64_t example_key[SIM_SENT_PROBLEMS][SIM_SENT_EXAMPLES];
    char example[SIM_SENT_PROBLEMS][SIM_SENT_EXAMPLES][SIM_SENT_EXAMPLE_MAX]; /* addresses */
    bool unique_ids;                                                          /* as asked for */
};

extern const char *const sim_sent_names[], *const sim_sent_texts[];

/* column: of the list, or NULL (sim_list.h). 0, or -1 with err when it can't compare. */
int sim_sent_compare(struct slice truth, const char *truth_name, struct slice list, const char *list_name,
                     const char *column, bool unique_ids, struct sim_sent_findings *f, struct err *err);
bool sim_sent_ok(const struct sim_sent_findings *f);

#endif
