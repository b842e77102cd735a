/* Chunk tables: round trips and hostile bytes. */
#include "chunk_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct kit {
    struct pack *pack;
    struct buf rows, scratch, stored;
};

static void kit_init(struct kit *k) {
    k->pack = pack_new(1);
    buf_init(&k->rows, CHUNK_TABLE_MAX);
    buf_init(&k->scratch, CHUNK_TABLE_MAX);
    buf_init(&k->stored, CHUNK_TABLE_MAX + 1024);
}

static void kit_done(struct kit *k) {
    pack_free(k->pack);
    buf_done(&k->rows), buf_done(&k->scratch), buf_done(&k->stored);
}

static void test_round_trip(void **state) {
    (void)state;
    static const struct {
        uint32_t columns;
        int32_t address_column;
        unsigned rows;
    } CASES[] = {{0, -1, 1}, {1, 0, 3}, {1, -1, 256}, {3, 1, 256}, {5, 4, 17}, {1024, 7, 2}};
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        struct kit k;
        struct err err = {0};
        struct chunk_columns columns = {CASES[c].columns, CASES[c].address_column};
        static char texts[1024][32];
        static struct slice values[1024];
        kit_init(&k);
        for (unsigned row = 0; row < CASES[c].rows; row++) {
            char address[64];
            snprintf(address, sizeof address, "person%u@example.com", row);
            for (uint32_t i = 0; i < columns.count; i++) {
                snprintf(texts[i], sizeof texts[i], "%s%u-%u", i % 3 ? "" : "value ", row, i);
                values[i] = i % 5 == 4 ? (struct slice){0} : slice_of(texts[i]);
            }
            size_t before = k.rows.len;
            struct slice got;
            assert_true(chunk_row_put(&k.rows, &columns, slice_of(address), values));
            assert_true(chunk_row_address(slice_skip(buf_slice(&k.rows), before), &got));
            assert_true(slice_eq(got, slice_of(address)));
        }
        assert_true(
            chunk_table_encode(&columns, CASES[c].rows, buf_slice(&k.rows), k.pack, &k.scratch, &k.stored));
        struct chunk_table *t = chunk_table_decode(buf_slice(&k.stored), k.pack, &err);
        if (!t) {
            fail_msg("case %zu: %s", c, err.text);
            abort();
        }
        assert_int_equal(t->count, CASES[c].rows);
        assert_int_equal(t->columns.count, columns.count);
        assert_int_equal(t->columns.address_column, columns.address_column);
        for (unsigned row = 0; row < t->count; row++) {
            char want[64];
            snprintf(want, sizeof want, "person%u@example.com", row);
            assert_true(slice_eq(chunk_table_address(t, row), slice_of(want)));
            for (uint32_t i = 0; i < columns.count; i++) {
                struct slice got = chunk_table_value(t, row, i);
                if ((int32_t)i == columns.address_column)
                    snprintf(want, sizeof want, "person%u@example.com", row);
                else if (i % 5 == 4)
                    want[0] = '\0';
                else
                    snprintf(want, sizeof want, "%s%u-%u", i % 3 ? "" : "value ", row, i);
                assert_true(slice_eq(got, slice_of(want)));
            }
        }
        chunk_table_free(t);
        kit_done(&k);
    }
}

/* A table whose unpacked bytes are given as they are. */
static void refused(struct slice text, const char *why) {
    struct kit k;
    struct err err = {0};
    kit_init(&k);
    buf_put_u8(&k.stored, 1);
    assert_true(pack_put(k.pack, text, &k.stored));
    struct chunk_table *t = chunk_table_decode(buf_slice(&k.stored), k.pack, &err);
    if (t) fail_msg("taken: %s", why);
    assert_int_equal(err.kind, ERR_CORRUPT);
    if (!strstr(err.text, why)) fail_msg("%s, not: %s", err.text, why);
    kit_done(&k);
}

static void test_hostile(void **state) {
    (void)state;
    static const struct {
        struct slice text;
        const char *why;
    } CASES[] = {
        {{"", 0}, "head"},
        {{"\1\0", 2}, "head"},
        {{"\1\0\0", 3}, "head"},                /* no rows */
        {{"\1\2\1\1a\1b", 7}, "head"},          /* address column past the columns */
        {{"\1\0\201\2", 4}, "head"},            /* 257 rows */
        {{"\201\10\0\1", 4}, "head"},           /* 1025 columns */
        {{"\1\0\2\1a\1b", 7}, "the rows of"},   /* one row of two */
        {{"\200\10\0\200\2\1a", 7}, "shorter"}, /* 256 x 1024 cells in two bytes */
        {{"\1\0\1\1a\2b", 7}, "the rows of"},   /* value past the end */
        {{"\1\0\1\1a\1bX", 8}, "the rows of"},  /* bytes left over */
        {{"\1\0\1\1a\377\377\377\377\377\377\377\377\377\1", 15}, "the rows of"},
        {{"\1\0\1\1a\377\377\377\377\377\377\377\377\377\377\1", 16}, "the rows of"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        refused(CASES[i].text, CASES[i].why);
    struct pack *p = pack_new(1);
    struct err err = {0};
    assert_null(chunk_table_decode((struct slice){0}, p, &err));
    assert_null(chunk_table_decode(SLICE("\2rest"), p, &err));
    assert_non_null(strstr(err.text, "version"));
    assert_null(chunk_table_decode(SLICE("\1rest"), p, &err));
    pack_free(p);
}

/* A few bytes that unpack to more than a table may hold. */
static void test_bomb(void **state) {
    (void)state;
    struct kit k;
    struct err err = {0};
    struct buf zeros;
    kit_init(&k);
    buf_init(&zeros, CHUNK_TABLE_MAX + 1);
    char *at = buf_room(&zeros, CHUNK_TABLE_MAX + 1);
    memset(at, 0, CHUNK_TABLE_MAX + 1);
    buf_grew(&zeros, CHUNK_TABLE_MAX + 1);
    buf_put_u8(&k.stored, 1);
    assert_true(pack_put(k.pack, buf_slice(&zeros), &k.stored));
    assert_true(k.stored.len < 10000);
    assert_null(chunk_table_decode(buf_slice(&k.stored), k.pack, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    buf_done(&zeros);
    kit_done(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_hostile),
                                       cmocka_unit_test(test_bomb)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
