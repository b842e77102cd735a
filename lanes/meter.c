/* A ring of counters, each for a slice of time. */
#include "meter.h"

#include <string.h>

void meter_init(struct meter *m, mono_us width, mono_us now) {
    memset(m, 0, sizeof *m);
    m->width = width;
    m->head = m->first = now / width;
}

static void turn(struct meter *m, mono_us now) {
    int64_t at = now / m->width;
    if (at <= m->head) return;
    int64_t gone = at - m->head < METER_SLOTS ? at - m->head : METER_SLOTS;
    for (int64_t i = 0; i < gone; i++)
        m->count[(at - i) % METER_SLOTS] = 0;
    m->head = at;
}

void meter_add(struct meter *m, uint32_t n, mono_us now) {
    turn(m, now);
    m->count[m->head % METER_SLOTS] += n;
}

void meter_take_back(struct meter *m, uint32_t n) {
    uint32_t *running = &m->count[m->head % METER_SLOTS];
    *running -= n < *running ? n : *running;
}

static int64_t slots_of(const struct meter *m, mono_us span) {
    int64_t n = (span + m->width - 1) / m->width;
    return n < 1 ? 1 : n > METER_SLOTS ? METER_SLOTS : n;
}

uint64_t meter_sum(struct meter *m, mono_us span, mono_us now) {
    turn(m, now);
    uint64_t sum = 0;
    for (int64_t i = 0, n = slots_of(m, span); i < n && i <= m->head; i++)
        sum += m->count[(m->head - i) % METER_SLOTS];
    return sum;
}

double meter_rate(struct meter *m, mono_us span, mono_us now) {
    uint64_t sum = meter_sum(m, span, now);
    int64_t whole = slots_of(m, span) - 1, since = m->head - m->first;
    mono_us time = (since < whole ? since : whole) * m->width + now % m->width;
    if (time < m->width / 2) time = m->width / 2;
    return (double)sum * (double)US_PER_SEC / (double)time;
}
