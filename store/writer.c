/* The writer thread: the only one that changes the ledger.
 *
 * It takes all batches that wait (up to a few megabytes), applies them in one transaction, syncs, and tells
 * the submitters. While it syncs the next batches gather, so that commits grow with the load by themselves.
 * When a commit fails nothing of it counts: batches that may be refused are given back, all others stay and
 * are tried again until they are durable. */
#include "store_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    GROUP_BYTES = 8 * 1024 * 1024, /* a transaction's pages are all held in memory until it ends */
    COMPANY_US = 2000,             /* how long STORE_MAY_WAIT waits for others */
    RETRY_US = 500 * 1000
};

static void list_init(struct batch_list *l) {
    *l = (struct batch_list){.end = &l->first};
}

static void list_put(struct batch_list *l, struct store_batch *b) {
    b->next = NULL;
    *l->end = b;
    l->end = &b->next;
    l->count++;
    l->bytes += b->ops.len;
}

static struct store_batch *list_take(struct batch_list *l) {
    struct store_batch *b = l->first;
    if (!b) return NULL;
    l->first = b->next;
    if (!l->first) l->end = &l->first;
    l->count--;
    l->bytes -= b->ops.len;
    return b;
}

static void finish(struct store_batch *b, int status, const struct err *err) {
    if (b->done)
        b->done(b->ctx, status, err);
    else
        store_batch_free(b);
}

/* ---- the submitters' side ---- */

int store_submit(struct store *s, struct store_batch *b, unsigned flags, store_done_fn *done, void *ctx,
                 struct err *err) {
    struct writer *w = &s->writer;
    assert(!b->lost && !s->read_only);
    if ((flags & STORE_MAY_REFUSE) && store_check_room(s, err) < 0) return -1;
    pthread_mutex_lock(&w->lock);
    bool fits = w->queue.count < w->slots && !w->stopping;
    if (fits) {
        b->flags = flags;
        b->done = done;
        b->ctx = ctx;
        b->since = clock_mono();
        list_put(&w->queue, b);
        if (!(flags & STORE_MAY_WAIT)) w->urgent++;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    if (!fits) return err_set(err, ERR_BUSY, "the ledger's writer has all the work it can hold");
    return 0;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool over;
    int status;
    struct err err;
};

static void wake_waiting(void *ctx, int status, const struct err *err) {
    struct waiting *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    w->status = status;
    if (err) w->err = *err;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

int store_commit(struct store *s, struct store_batch *b, unsigned flags, struct err *err) {
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    if (store_submit(s, b, flags, wake_waiting, &w, err) < 0) return -1;
    pthread_mutex_lock(&w.lock);
    while (!w.over)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
    if (w.status < 0 && err) *err = w.err;
    return w.status;
}

void store_health(struct store *s, struct store_health *out) {
    bool low = !s->read_only && store_check_room(s, NULL) < 0;
    pthread_mutex_lock(&s->writer.lock);
    *out = s->writer.health;
    pthread_mutex_unlock(&s->writer.lock);
    out->reserve_held = space_reserve_held(s);
    if (out->state == STORE_FINE && low) out->state = STORE_LOW;
}

void store_stats(struct store *s, struct store_stats *out) {
    pthread_mutex_lock(&s->writer.lock);
    *out = s->writer.stats;
    out->waiting = s->writer.queue.count;
    pthread_mutex_unlock(&s->writer.lock);
    out->map_size = kv_map_size(s->kv);
}

/* ---- the writer's side ---- */

static int64_t thread_cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * US_PER_SEC + t.tv_nsec / 1000;
}

static void wait_until(struct writer *w, mono_us until) {
    struct timespec t = {.tv_sec = until / US_PER_SEC, .tv_nsec = (long)(until % US_PER_SEC) * 1000};
    pthread_cond_timedwait(&w->wake, &w->lock, &t);
}

/* Waits for work, and fills *group with it. False when there is none and the store closes. */
static bool gather(struct store *s, struct batch_list *group) {
    struct writer *w = &s->writer;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        bool held = space_reserve_held(s);
        mono_us now = clock_mono();
        if (w->queue.count) {
            mono_us due = w->queue.first->since + COMPANY_US;
            if (w->urgent || w->stopping || now >= due || w->queue.bytes >= GROUP_BYTES / 2) break;
            wait_until(w, due);
        } else if (w->stopping) {
            break;
        } else if (held || s->reserve == 0) {
            pthread_cond_wait(&w->wake, &w->lock);
        } else {
            wait_until(w, now + RETRY_US);
            pthread_mutex_unlock(&w->lock);
            space_reserve_take(s);
            pthread_mutex_lock(&w->lock);
        }
    }
    while (w->queue.count && (group->bytes == 0 || group->bytes + w->queue.first->ops.len <= GROUP_BYTES)) {
        struct store_batch *b = list_take(&w->queue);
        if (!(b->flags & STORE_MAY_WAIT)) w->urgent--;
        list_put(group, b);
    }
    pthread_mutex_unlock(&w->lock);
    return group->count > 0;
}

static int commit_group(struct store *s, const struct batch_list *group) {
    struct kv_txn *txn;
    pthread_mutex_lock(&s->writer.gate);
    int rc = kv_begin(s->kv, &txn);
    if (rc == 0) {
        for (const struct store_batch *b = group->first; b && rc == 0; b = b->next)
            rc = batch_apply(b, txn);
        if (rc == 0)
            rc = kv_commit(txn);
        else
            kv_abort(txn);
    }
    pthread_mutex_unlock(&s->writer.gate);
    return rc;
}

static void count_commit(struct writer *w, const struct batch_list *group, int rc, mono_us wall,
                         int64_t cpu) {
    pthread_mutex_lock(&w->lock);
    w->stats.commit_us += (uint64_t)wall;
    w->stats.cpu_us += (uint64_t)cpu;
    if (rc == 0) {
        w->stats.commits++;
        w->stats.batches += group->count;
        w->stats.bytes += group->bytes;
        w->health = (struct store_health){.state = STORE_FINE};
    } else {
        w->stats.retries++;
    }
    pthread_mutex_unlock(&w->lock);
}

static void give_back(struct batch_list *group, unsigned with_flag, const struct err *err) {
    struct batch_list keep;
    list_init(&keep);
    for (struct store_batch *b; (b = list_take(group));) {
        if ((b->flags & with_flag) == with_flag)
            finish(b, -1, err);
        else
            list_put(&keep, b);
    }
    list_init(group);
    for (struct store_batch *b; (b = list_take(&keep));)
        list_put(group, b);
}

/* Says why nothing moves, and waits a while. False when the store closes and will not wait. */
static bool wait_stuck(struct store *s, bool broken, const struct err *err) {
    struct writer *w = &s->writer;
    pthread_mutex_lock(&w->lock);
    w->health.state = broken ? STORE_BROKEN : STORE_STUCK;
    memcpy(w->health.text, err->text, sizeof w->health.text - 1);
    mono_us until = clock_mono() + RETRY_US;
    while (!w->stopping && clock_mono() < until)
        wait_until(w, until);
    bool go_on = !w->stopping;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

/* Commits the group, however long it takes. */
static void commit_until_done(struct store *s, struct batch_list *group) {
    struct err err;
    while (group->count) {
        mono_us wall = clock_mono();
        int64_t cpu = thread_cpu_us();
        int rc = commit_group(s, group);
        if (rc && kv_map_full(rc)) {
            rc = kv_grow(s->kv);
            if (rc == 0) continue;
        }
        count_commit(&s->writer, group, rc, clock_mono() - wall, thread_cpu_us() - cpu);
        if (rc == 0) break;
        /* LMDB calls the short write of a disk that has just become full an I/O error. */
        if (rc == EIO && store_check_room(s, NULL) < 0) rc = ENOSPC;
        kv_fail(&err, rc, "writing the ledger");
        if (err.kind == ERR_SPACE) {
            give_back(group, STORE_MAY_REFUSE, &err);
            if (space_reserve_held(s)) {
                space_reserve_give(s);
                continue;
            }
        }
        if (group->count && !wait_stuck(s, kv_broken(rc), &err)) {
            give_back(group, 0, &err);
            return;
        }
    }
    for (struct store_batch *b; (b = list_take(group));)
        finish(b, 0, NULL);
}

static void *writer_main(void *arg) {
    struct store *s = arg;
    struct batch_list group;
    list_init(&group);
    while (gather(s, &group)) {
        commit_until_done(s, &group);
        list_init(&group);
        if (s->reserve && !space_reserve_held(s)) space_reserve_take(s);
    }
    return NULL;
}

int writer_start(struct store *s, size_t slots, struct err *err) {
    struct writer *w = &s->writer;
    w->slots = slots ? slots : STORE_QUEUE_SLOTS;
    list_init(&w->queue);
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->gate, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (s->read_only) return 0;
    int rc = pthread_create(&w->thread, NULL, writer_main, s);
    w->running = rc == 0;
    return rc ? err_errno(err, rc, "starting the ledger's writer") : 0;
}

void writer_stop(struct store *s) {
    struct writer *w = &s->writer;
    if (w->slots == 0) return; /* never started */
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (w->running) pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->gate);
}
