/* Packed runs: round trips, bounds, damage. */
#include "pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_round_trip(void **state) {
    (void)state;
    static const size_t SIZES[] = {0, 1, 100, 65536, 1000000};
    struct pack *p = pack_new(1);
    struct buf text, packed, back;
    struct err err = {0};
    buf_init(&text, 2 << 20), buf_init(&packed, 2 << 20), buf_init(&back, 2 << 20);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        uint64_t size;
        buf_reset(&text), buf_reset(&packed), buf_reset(&back);
        for (size_t n = 0; n < SIZES[i]; n++)
            buf_put_u8(&text, (uint8_t)(n % 61));
        assert_true(pack_put(p, buf_slice(&text), &packed));
        assert_true(pack_size(buf_slice(&packed), &size) && size == SIZES[i]);
        assert_int_equal(pack_take(p, buf_slice(&packed), SIZES[i], &back, &err), 0);
        assert_true(slice_eq(buf_slice(&back), buf_slice(&text)));
        if (SIZES[i] == 0) continue;
        assert_int_equal(pack_take(p, buf_slice(&packed), SIZES[i] - 1, &back, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    buf_done(&text), buf_done(&packed), buf_done(&back);
    pack_free(p);
}

/* Every byte counts, and every end that comes too early. */
static void test_damage(void **state) {
    (void)state;
    struct pack *p = pack_new(1);
    struct buf packed, back;
    struct err err = {0};
    buf_init(&packed, 4096), buf_init(&back, 1 << 20);
    assert_true(pack_put(p, SLICE("some text, some text, some text and some more of it"), &packed));
    for (size_t n = 0; n < packed.len; n++) {
        buf_reset(&back);
        assert_int_equal(pack_take(p, slice_make(packed.at, n), 1 << 16, &back, &err), -1);
        packed.at[n] ^= 1;
        buf_reset(&back);
        if (pack_take(p, buf_slice(&packed), 1 << 16, &back, &err) == 0)
            assert_true(
                slice_eq(buf_slice(&back), SLICE("some text, some text, some text and some more of it")));
        packed.at[n] ^= 1;
    }
    assert_int_equal(pack_take(p, SLICE("plainly no frame"), 1 << 16, &back, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    buf_done(&packed), buf_done(&back);
    pack_free(p);
}

static void test_no_room(void **state) {
    (void)state;
    struct pack *p = pack_new(1);
    struct buf small;
    buf_init(&small, 12);
    char noise[64];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    assert_false(pack_put(p, slice_make(noise, sizeof noise), &small));
    assert_true(small.failed);
    buf_done(&small);
    buf_init(&small, 64); /* less than the bound for 64 bytes, enough for these */
    assert_true(
        pack_put(p, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), &small));
    buf_done(&small);
    pack_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_no_room)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
