/* libunbound on a loop: one question, one packet. For dns.c.
 *
 * It runs inside the loop, without a thread of its own, on libunbound's pluggable events. */
#ifndef TSUBAME_RECURSOR_H
#define TSUBAME_RECURSOR_H

#include "dns.h"

struct recursor;

enum recursor_verdict { RECURSOR_ANSWER, RECURSOR_FAILED, RECURSOR_BOGUS };

/* packet: of RECURSOR_ANSWER, valid during the call. text: why not, or "". */
typedef void recursor_done(void *ctx, enum recursor_verdict verdict, struct slice packet, const char *text);

/* Of the options it takes servers, trust_anchor, cache_mb, ports, no_ipv6, no_stub. */
struct recursor *recursor_open(struct loop *loop, const struct resolver_options *options, struct err *err);

/* What is under way calls back now, as failed. */
void recursor_close(struct recursor *r);

/* name: clean, see dns_name_clean; it must stay until the answer comes. May call back at once, from within.
 * No other call of this interface is allowed inside the callback. False when the question can't be asked (not
 * a name, no memory): then it does not call back. */
bool recursor_ask(struct recursor *r, const char *name, uint16_t type, recursor_done *done, void *ctx);

#endif
