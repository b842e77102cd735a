/* Orders in the backlog: what is stopped is met by nobody and counted all the same; what it was is there
 * again when it goes on; and ten million recipients are stopped in a moment. */
#include "orders.h"
#include "test_backlog_world.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned take(struct world *w, struct site *site, unsigned *which) {
    struct chunk *chunk;
    struct slots slots;
    unsigned n = backlog_take(&w->b, site, 8, &chunk, &slots, world_drop, w);
    if (!n) return 0;
    world_let_go(NULL, chunk);
    *which = (unsigned)(chunk - w->chunks);
    return n;
}

static void test_one_of_two(void **state) {
    (void)state;
    struct world w;
    unsigned which = 0;
    world_open(&w, 2);
    struct domain *a = world_add(&w, "a.test", 0, slots_first(20));
    world_add(&w, "b.test", 2, slots_first(8));
    struct site *site = world_place_all(&w, 1, "google");
    struct queue *q = backlog_queue(&w.b, a, &w.campaigns[0]);
    backlog_stop(&w.b, q);
    backlog_stop(&w.b, q); /* once */
    assert_true(site->waiting == 8 && site->stopped == 20 && site->lane->waiting == 8 &&
                site->lane->stopped == 20);
    world_add(&w, "a.test", 4, slots_first(5)); /* more of it comes */
    assert_true(site->waiting == 8 && site->stopped == 25);
    assert_int_equal(take(&w, site, &which), 8);
    assert_int_equal(which, 2);
    assert_int_equal(take(&w, site, &which), 0);
    assert_null(site->turn);
    backlog_site_check(&w.b, site); /* stays */
    assert_int_equal(w.b.site_count, 1);
    while (backlog_next_to_run(&w.b)) {
    }
    backlog_go(&w.b, q);
    assert_ptr_equal(backlog_next_to_run(&w.b), site->lane);
    assert_true(site->waiting == 25 && site->stopped == 0 && site->lane->stopped == 0);
    unsigned n = 0, got;
    while ((got = take(&w, site, &which)))
        n += got;
    assert_int_equal(n, 25);
    world_done(&w);
}

/* Two campaigns have something in the same domain: one of them is stopped. */
static void test_one_campaign(void **state) {
    (void)state;
    struct world w;
    unsigned which = 0;
    world_open(&w, 2);
    struct domain *a = world_add(&w, "a.test", 0, slots_first(8));
    world_add(&w, "a.test", 1, slots_first(8));
    struct site *site = world_place_all(&w, 1, "google");
    backlog_stop(&w.b, backlog_queue(&w.b, a, &w.campaigns[0]));
    assert_int_equal(take(&w, site, &which), 8);
    assert_int_equal(which, 1);
    assert_int_equal(take(&w, site, &which), 0);
    /* Its exchangers are looked up anew: whoever places it asks the orders again. */
    backlog_go(&w.b, backlog_queue(&w.b, a, &w.campaigns[0]));
    backlog_unplace(&w.b, a);
    assert_true(site->waiting == 0 && site->stopped == 0);
    backlog_site_check(&w.b, site);
    assert_int_equal(w.b.site_count, 0);
    world_done(&w);
}

static bool of_chunk_0(void *ctx, const struct batch *batch) {
    return batch->chunk == &((struct world *)ctx)->chunks[0];
}

static void test_taken_out_and_moved(void **state) {
    (void)state;
    struct world w;
    world_open(&w, 2);
    struct domain *a = world_add(&w, "a.test", 0, slots_first(3));
    world_add(&w, "a.test", 2, slots_first(4));
    world_add(&w, "a.test", 0, slots_first(5));
    struct site *site = world_place_all(&w, 1, "google");
    struct queue *q = backlog_queue(&w.b, a, &w.campaigns[0]);
    backlog_stop(&w.b, q);
    assert_false(backlog_take_out(&w.b, q, of_chunk_0, world_drop, &w));
    assert_true(w.dropped == 8 && site->stopped == 4 && a->waiting == 4 && w.b.recipients == 4);
    struct domain *other = backlog_domain(&w.b, SLICE("a.test"), 1);
    assert_true(other != a && other->source == 1);
    assert_true(backlog_move(&w.b, q, other));
    assert_true(site->stopped == 0 && other->waiting == 4 && a->queues == NULL);
    backlog_domain_check(&w.b, a);
    backlog_site_check(&w.b, site);
    assert_true(w.b.domain_count == 1 && w.b.site_count == 0);
    assert_true(backlog_take_out(&w.b, backlog_queue(&w.b, other, &w.campaigns[0]), NULL, world_drop, &w));
    assert_int_equal(w.dropped, 12);
    backlog_domain_check(&w.b, other);
    world_done(&w);
}

/* ---- ten million ---- */

enum { DOMAINS = 100000, EACH = 100 };

struct review {
    struct world *w;
    struct orders orders;
    bool go;
};

static void review(void *ctx, struct queue *q) {
    struct review *r = ctx;
    struct domain *d = backlog_queue_domain(q);
    struct subject s = {.campaign = q->first->chunk->campaign->row.id,
                        .domain = slice_make(d->name, d->name_len),
                        .provider = slice_of(d->site->lane->name),
                        .source = SLICE("s")};
    if (r->go)
        backlog_go(&r->w->b, q);
    else if (orders_stop(&r->orders, &s))
        backlog_stop(&r->w->b, q);
}

static void test_ten_million(void **state) {
    (void)state;
    struct world w;
    struct review r = {.w = &w};
    struct order o = {.number = 1, .kind = ORDER_SUSPEND, .of = {.provider = SLICE("google")}};
    char name[32];
    size_t bucket = 0;
    world_open(&w, 2);
    for (unsigned i = 0; i < DOMAINS; i++) {
        snprintf(name, sizeof name, "d%u.test", i);
        world_add(&w, name, i % 8, slots_first(EACH));
    }
    struct site *site = world_place_all(&w, 1, "google");
    assert_int_equal(site->waiting, DOMAINS * EACH);
    assert_non_null(orders_add(&r.orders, &o));
    mono_us before = clock_mono();
    assert_false(backlog_each(&w.b, &bucket, SIZE_MAX, review, &r));
    mono_us stopped = clock_mono();
    assert_true(site->waiting == 0 && site->stopped == DOMAINS * EACH && !site->turn);
    r.go = true;
    bucket = 0;
    while (backlog_each(&w.b, &bucket, 1000, review, &r)) {
    }
    mono_us gone = clock_mono();
    assert_true(site->waiting == DOMAINS * EACH && site->stopped == 0);
    print_message("# ten million in %d domains: stopped in %lld us, went on in %lld us\n", DOMAINS,
                  (long long)(stopped - before), (long long)(gone - stopped));
    orders_done(&r.orders);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_of_two), cmocka_unit_test(test_one_campaign),
                                       cmocka_unit_test(test_taken_out_and_moved),
                                       cmocka_unit_test(test_ten_million)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
