/* The truth log against a ledger: does the sender's book agree with what the receivers saw?
 *
 * Both are tab-separated with a line of column names. 16 bytes of memory are kept for each row of either;
 * texts are looked up again for the examples. Addresses are compared without case, Message-IDs without their
 * brackets. */
#ifndef TSUBAME_SIM_COMPARE_H
#define TSUBAME_SIM_COMPARE_H

#include "buf.h"
#include "err.h"
#include "sim_truth.h"

enum sim_state {
    SIM_STATE_DELIVERED,
    SIM_STATE_FAILED,
    SIM_STATE_SUPPRESSED,
    SIM_STATE_CANCELLED,
    SIM_STATE_EXPIRED,
    SIM_STATE_PENDING,
    SIM_STATE_UNCERTAIN,
    SIM_STATE_MISSING, /* an empty state, where that is allowed */
    SIM_STATES
};

enum sim_violation {
    SIM_NOT_ACCEPTED,  /* delivered in the ledger, never accepted */
    SIM_LOST,          /* accepted, but failed, suppressed, cancelled, expired or pending in the ledger */
    SIM_DUPLICATE,     /* accepted more than once without ever having been uncertain */
    SIM_STRAY,         /* accepted for an address that the ledger does not have */
    SIM_WRONG_ID,      /* accepted with a Message-ID that the ledger does not have for the address */
    SIM_UNKNOWN_USER,  /* refused as unknown, but not failed in the ledger */
    SIM_STILL_PENDING, /* pending, though the sender is done */
    SIM_REPEATED,      /* twice in the ledger with one Message-ID */
    SIM_VIOLATIONS
};

enum { SIM_EXAMPLES = 10, SIM_EXAMPLE_MAX = 320 };

struct sim_findings {
    uint64_t truth[SIM_EVENTS], ledger[SIM_STATES];
    uint64_t truth_rows, ledger_rows, was_uncertain, second_copies;
    uint64_t violation[SIM_VIOLATIONS];
    uint64_t example_key[SIM_VIOLATIONS][SIM_EXAMPLES];
    char example[SIM_VIOLATIONS][SIM_EXAMPLES]
                [SIM_EXAMPLE_MAX]; /* an address and what is said of it, NUL-terminated */
};

extern const char *const sim_state_names[], *const sim_violation_names[], *const sim_violation_texts[];

struct sim_compare_options {
    bool running;              /* the sender is still at work: pending is fine */
    bool allow_missing_states; /* rows without a state are counted, not judged */
};

/* 0 when it could compare (the findings say with what result), -1 with err (ERR_INPUT with file and line)
 * when not. */
int sim_compare(struct slice truth, const char *truth_name, struct slice ledger, const char *ledger_name,
                struct sim_compare_options options, struct sim_findings *f, struct err *err);

bool sim_findings_ok(const struct sim_findings *f);

#endif
