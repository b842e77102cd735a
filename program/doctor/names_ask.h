/* Records looked up one after the other by a command, which waits for each. */
#ifndef TSUBAME_NAMES_ASK_H
#define TSUBAME_NAMES_ASK_H

#include "options.h"
#include "records.h"

struct names_ask;

/* Asks dns.servers, or those of /etc/resolv.conf. NULL with err. */
struct names_ask *names_ask_open(const struct options *o, struct err *err);
void names_ask_close(struct names_ask *n); /* NULL is fine */

/* The answer: a copy that is the caller's to free; NULL without memory. took: how long it took, may be NULL.
 */
struct records_answer *names_ask(struct names_ask *n, const char *name, uint16_t type, int64_t *took_us);

#endif
