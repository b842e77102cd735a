/* The short way to a recursive DNS server on this very host: one datagram out, one in.
 *
 * libunbound takes some 40 us of CPU for a question, most of it for what protects against strangers on the
 * way: a socket and port for each question, random draws, its own cache. On loopback there are no strangers.
 * Whatever is not a plain, whole answer (no answer, truncated, SERVFAIL, odd) is left to libunbound. */
#ifndef TSUBAME_STUB_H
#define TSUBAME_STUB_H

#include "addr.h"
#include "loop.h"

struct stub;

/* packet: empty when there is no plain answer; valid during the call. */
typedef void stub_done(void *ctx, struct slice packet);

/* server: with port; seed: for the ids. */
struct stub *stub_open(struct loop *loop, const struct net_addr *server, uint64_t seed, struct err *err);
void stub_close(struct stub *s); /* what is under way calls back now, without an answer; NULL is fine */

/* Calls back from the loop, never from within. name: clean, see dns_name_clean; it must stay until then.
 * False when the server has not answered lately, or without memory: then it does not call back. */
bool stub_ask(struct stub *s, const char *name, uint16_t type, stub_done *done, void *ctx);

#endif
