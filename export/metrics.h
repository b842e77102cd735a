/* Prometheus' text format (version 0.0.4), and the small HTTP server that shows it. What is measured is the
 * caller's. */
#ifndef TSUBAME_METRICS_H
#define TSUBAME_METRICS_H

#include "addr.h"
#include "buf.h"
#include "err.h"

/* Help and type of a metric; its samples follow at once. type: "counter" or "gauge". */
void metrics_head(struct buf *out, const char *name, const char *type, const char *help);

/* One sample. labels: name, value, name, value ..., NULL; values are escaped. */
void metrics_sample(struct buf *out, const char *name, double value, ...) __attribute__((sentinel));

/* Head and its one sample without labels. */
void metrics_one(struct buf *out, const char *name, const char *type, const char *help, double value);

/* CPU, memory, descriptors and start of this process, under the names that all exporters use. */
void metrics_process(struct buf *out);

/* GET /metrics answers with what `fill` writes, on a thread of the server's own; / says where to look. Until
 * metrics_ready it is 503. At most 16 connections. */
struct metrics_server;
struct metrics_server *metrics_open(const struct net_addr *listen, struct err *err);
void metrics_ready(struct metrics_server *m, void (*fill)(void *ctx, struct buf *out), void *ctx);
/* `fill` is not called any more once back. NULL is fine. */
void metrics_close(struct metrics_server *m);
/* Where it listens (for port 0). */
uint16_t metrics_port(const struct metrics_server *m);

#endif
