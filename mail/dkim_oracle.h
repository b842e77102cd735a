/* For tests: a DKIM verifier written plainly and apart from the signer, line by line and with no regard for
 * speed. It knows relaxed/relaxed only, and no l= or x=. */
#ifndef TSUBAME_DKIM_ORACLE_H
#define TSUBAME_DKIM_ORACLE_H

#include "dkim_key.h"

/* RFC 6376 section 3.4.4. */
void dkim_oracle_body(struct slice body, struct buf *out);

/* Verifies the mail's first DKIM-Signature whose s= is `selector`. NULL when it is good, else what is not. */
const char *dkim_oracle_verify(struct slice mail, struct slice selector, const struct dkim_key *key);

#endif
