/* What a lane has learned, as bytes: it comes back, it works in a new controller, and nonsense is nothing. */
#include "lane_memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0  (INT64_C(1700000000) * US_PER_SEC)
#define DAY (INT64_C(86400) * US_PER_SEC)

static const struct learn_memory all = {.saved = T0,
                                        .connections = 5,
                                        .rate = 20.25,
                                        .burst = 40,
                                        .per_connection = 50,
                                        .new_connections = 30,
                                        .quota = 5000,
                                        .quota_used = 4711,
                                        .quota_resets = T0 + DAY / 2,
                                        .chance_unsaid = 0.01,
                                        .chance_said = 0.0005};

static void encode(const struct learn_memory *m, struct buf *out) {
    buf_init(out, LANE_MEMORY_BYTES);
    assert_true(lane_memory_encode(m, out));
}

static void comes_back(void **state) {
    (void)state;
    const struct learn_memory nothing = {.saved = T0}, much = {.connections = 1000000,
                                                               .rate = 1e6,
                                                               .burst = 1e9,
                                                               .per_connection = 1000000,
                                                               .new_connections = 1e6,
                                                               .quota = 1e12,
                                                               .quota_used = 1e12};
    const struct learn_memory *const table[] = {&all, &nothing, &much};
    for (size_t i = 0; i < 3; i++) {
        struct buf bytes;
        struct learn_memory m;
        encode(table[i], &bytes);
        assert_true(lane_memory_decode(buf_slice(&bytes), &m));
        assert_true(m.saved == table[i]->saved && m.connections == table[i]->connections &&
                    m.rate == table[i]->rate && m.burst == table[i]->burst &&
                    m.per_connection == table[i]->per_connection &&
                    m.new_connections == table[i]->new_connections && m.quota == table[i]->quota &&
                    m.quota_used == table[i]->quota_used && m.quota_resets == table[i]->quota_resets &&
                    m.chance_unsaid == table[i]->chance_unsaid && m.chance_said == table[i]->chance_said);
        buf_done(&bytes);
    }
}

static void nonsense_is_nothing(void **state) {
    (void)state;
    struct buf bytes;
    struct learn_memory m = {.connections = 77};
    encode(&all, &bytes);
    for (size_t n = 0; n < bytes.len; n++)
        assert_false(lane_memory_decode(slice_make(bytes.at, n), &m));
    bytes.at[0]++;
    assert_false(lane_memory_decode(buf_slice(&bytes), &m));
    buf_done(&bytes);
    static const double bad[] = {NAN, -1, INFINITY, 1e18};
    for (size_t i = 0; i < sizeof bad / sizeof *bad * 7; i++) {
        struct learn_memory wrong = all;
        double *const fields[] = {&wrong.rate,       &wrong.burst,      &wrong.new_connections,
                                  &wrong.quota,      &wrong.quota_used, &wrong.chance_unsaid,
                                  &wrong.chance_said};
        *fields[i % 7] = bad[i / 7];
        encode(&wrong, &bytes);
        assert_false(lane_memory_decode(buf_slice(&bytes), &m));
        buf_done(&bytes);
    }
    static const wall_us times[] = {-1, INT64_MAX, INT64_MIN, T0 + 3 * DAY, T0 - 3 * DAY};
    for (size_t i = 0; i < 5; i++) {
        struct learn_memory wrong = all;
        wrong.quota_resets = times[i];
        encode(&wrong, &bytes);
        assert_false(lane_memory_decode(buf_slice(&bytes), &m));
        buf_done(&bytes);
    }
    struct learn_memory wrong = all;
    wrong.connections = UINT32_MAX;
    encode(&wrong, &bytes);
    assert_false(lane_memory_decode(buf_slice(&bytes), &m));
    buf_put_c(&bytes, 0);
    buf_done(&bytes);
    encode(&all, &bytes);
    char more[LANE_MEMORY_BYTES + 1];
    memcpy(more, bytes.at, bytes.len);
    more[bytes.len] = 0;
    assert_false(lane_memory_decode(slice_make(more, bytes.len + 1), &m));
    buf_done(&bytes);
    assert_int_equal(m.connections, 77); /* left as it was */
}

/* Any one byte changed: nothing, or something that a controller can live with. */
static void any_byte_may_be_wrong(void **state) {
    (void)state;
    struct buf bytes;
    const struct learn_profile profile = {.connections = {1, 2, 10}, .per_connection = {0, 100, 100}};
    encode(&all, &bytes);
    for (size_t i = 0; i < bytes.len * 256; i++) {
        char copy[LANE_MEMORY_BYTES];
        struct learn_memory m;
        memcpy(copy, bytes.at, bytes.len);
        copy[i / 256] = (char)(i % 256);
        if (!lane_memory_decode(slice_make(copy, bytes.len), &m)) continue;
        struct learn l;
        struct learn_session s;
        mono_us when;
        learn_init(&l, &profile, NULL, NULL, 1);
        learn_load(&l, &m, T0 + DAY, 1);
        assert_true(learn_open(&l, &s, 0, true, 2, &when));
        learn_let_in(&l, &s, 3);
        learn_done(&l);
    }
    buf_done(&bytes);
}

static void knows(void **state) {
    (void)state;
    const struct learn_profile profile = {.per_connection = {.start = 50}, .new_connections = {.start = 100}};
    static const struct {
        struct learn_memory m;
        bool knows;
    } table[] = {
        {{.saved = T0}, false},
        {{.per_connection = 50, .new_connections = 100, .burst = 3, .chance_unsaid = 0.01}, false},
        {{.chance_unsaid = 0.1}, true},
        {{.per_connection = 20}, true},
        {{.new_connections = 16}, true},
        {{.connections = 1}, true},
        {{.rate = 0.5}, true},
        {{.quota = 500}, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(lane_memory_knows(&table[i].m, &profile), table[i].knows);
    struct learn l;
    struct learn_memory m;
    learn_init(&l, &profile, NULL, NULL, 1);
    learn_store(&l, &m, T0, 2);
    assert_false(lane_memory_knows(&m, &profile)); /* a new one knows nothing */
    learn_done(&l);
}

static void keys(void **state) {
    (void)state;
    static char longer[600];
    memset(longer, 'x', sizeof longer - 1);
    static const struct {
        const char *source, *provider;
        uint64_t set;
    } table[] = {
        {"a", "google", 0}, {"ag", "oogle", 0}, {"a", "google", 7}, {"", "x", 0}, {longer, longer, 1}};
    struct buf made[5];
    for (size_t i = 0; i < 5; i++) {
        struct slice source, provider;
        uint64_t set;
        buf_init(&made[i], LANE_KEY_BYTES);
        assert_true(
            lane_key_encode(slice_of(table[i].source), slice_of(table[i].provider), table[i].set, &made[i]));
        assert_true(lane_key_decode(buf_slice(&made[i]), &source, &provider, &set));
        assert_true(set == table[i].set);
        if (i < 4) assert_true(slice_eq(source, slice_of(table[i].source)));
        if (i < 4) assert_true(slice_eq(provider, slice_of(table[i].provider)));
        for (size_t j = 0; j < i; j++)
            assert_false(slice_eq(buf_slice(&made[i]), buf_slice(&made[j])));
    }
    for (size_t i = 0; i < 5; i++)
        buf_done(&made[i]);
    uint64_t ab = lane_set_add(lane_set_add(0, SLICE("mx1.example.com")), SLICE("mx2.example.com"));
    uint64_t ba = lane_set_add(lane_set_add(0, SLICE("MX2.example.com")), SLICE("mx1.Example.com"));
    assert_true(ab == ba && ab != 0 && ab != lane_set_add(0, SLICE("mx1.example.com")));
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(nonsense_is_nothing),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(knows),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
