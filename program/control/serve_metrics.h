/* What `serve` measures, as Prometheus text; docs/metrics.md explains each. */
#ifndef TSUBAME_SERVE_METRICS_H
#define TSUBAME_SERVE_METRICS_H

#include "instance.h"

/* ctx: a struct instance that is open. */
void serve_metrics(void *ctx, struct buf *out);

#endif
