/* Cutting into chunks: the rules of the header, on made-up audiences. */
#include "chunker.h"

#include "store_test_dir.h"

enum { MADE_MAX = 4096 };

struct seen {
    struct store *store;
    struct pack *pack;
    struct chunk_made made[MADE_MAX];
    struct chunk_table *tables[MADE_MAX];
    char domains[MADE_MAX][64];
    size_t count;
    unsigned duplicates;
    int fail_at; /* -1: never */
};

static int keep(void *ctx, const struct chunk_made *m, struct err *err) {
    struct seen *s = ctx;
    if (s->fail_at == (int)s->count) return err_set(err, ERR_SYSTEM, "as asked");
    assert_true(s->count < MADE_MAX);
    assert_int_equal(m->index, s->count);
    snprintf(s->domains[s->count], sizeof s->domains[0], "%.*s", SLICE_ARG(m->domain));
    s->made[s->count++] = *m;
    return 0;
}

static void count_duplicate(void *ctx, struct slice address) {
    struct seen *s = ctx;
    assert_true(slice_find(address, '@') > 0);
    s->duplicates++;
}

static const struct chunk_columns COLUMNS = {2, 0};

static int add(struct chunker *c, uint64_t domain, uint64_t low, const char *address, size_t pad,
               struct err *err) {
    static char text[600000];
    struct buf row;
    memset(text, 'v', pad);
    struct slice values[2] = {{0}, slice_make(text, pad)};
    buf_init(&row, 1 << 20);
    assert_true(chunk_row_put(&row, &COLUMNS, slice_of(address), values));
    int status = chunker_add(c, domain << 40 | low, buf_slice(&row), err);
    buf_done(&row);
    return status;
}

struct kit {
    struct test_dir dir;
    struct store *store;
    struct segment_writer *segment;
    struct chunker *chunker;
    struct seen seen;
};

static struct kit *kit_open(void) {
    struct err err = {0};
    struct kit *k = calloc(1, sizeof *k);
    k->dir = test_dir_make();
    k->store = store_open(in_dir(&k->dir, "s"), &(struct store_options){.reserve = 1 << 20}, &err);
    if (!k->store) fail_msg("%s", err.text);
    k->segment = segment_writer_open(k->store, &err);
    k->seen = (struct seen){.store = k->store, .pack = pack_new(1), .fail_at = -1};
    k->chunker = chunker_open(&COLUMNS, k->segment, keep, count_duplicate, &k->seen, &err);
    return k;
}

/* Ends the cutting and reads the chunks back; checks what must hold for all of them. Returns recipients. */
static unsigned finish(struct kit *k) {
    struct err err = {0};
    unsigned rows = 0;
    if (chunker_finish(k->chunker, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(segment_sync(k->segment, &err), 0);
    for (size_t i = 0; i < k->seen.count; i++) {
        const struct chunk_made *m = &k->seen.made[i];
        struct buf stored;
        buf_init(&stored, CHUNK_TABLE_MAX);
        if (segment_read(k->store, m->table, &stored, &err) < 0) fail_msg("%s", err.text);
        struct chunk_table *t = k->seen.tables[i] =
            chunk_table_decode(buf_slice(&stored), k->seen.pack, &err);
        buf_done(&stored);
        if (!t) {
            fail_msg("%s", err.text);
            abort();
        }
        assert_int_equal(t->count, m->count);
        assert_true(m->count >= 1 && m->count <= 256 && m->first_hash <= m->last_hash);
        if (i) assert_true(m->first_hash > k->seen.made[i - 1].last_hash);
        rows += m->count;
    }
    struct chunker_stats stats;
    chunker_stats(k->chunker, &stats);
    assert_int_equal(stats.kept, rows);
    assert_int_equal(stats.chunks, k->seen.count);
    assert_int_equal(stats.duplicates, k->seen.duplicates);
    return rows;
}

static void kit_free(struct kit *k) {
    for (size_t i = 0; i < k->seen.count; i++)
        chunk_table_free(k->seen.tables[i]);
    chunker_free(k->chunker);
    segment_writer_free(k->segment);
    pack_free(k->seen.pack);
    store_free(k->store);
    test_dir_remove(&k->dir);
    free(k);
}

/* `count` rows of one domain. */
static void add_domain(struct kit *k, uint64_t domain, unsigned count) {
    struct err err = {0};
    for (unsigned i = 0; i < count; i++) {
        char address[64];
        snprintf(address, sizeof address, "p%u@d%u.example", i, (unsigned)domain);
        if (add(k->chunker, domain, i, address, 10, &err) < 0) fail_msg("%s", err.text);
    }
}

/* Sizes of domains in; "count domain" of the chunks out. */
static void check_cut(const unsigned *domains, const char *want) {
    struct kit *k = kit_open();
    struct buf got;
    unsigned total = 0;
    buf_init(&got, 1 << 20);
    for (unsigned i = 0; domains[i]; i++) {
        add_domain(k, i + 1, domains[i]);
        total += domains[i];
    }
    assert_int_equal(finish(k), total);
    for (size_t i = 0; i < k->seen.count; i++)
        buf_printf(&got, "%s%u%s%s", i ? ", " : "", k->seen.made[i].count, k->seen.domains[i][0] ? " " : "",
                   k->seen.domains[i]);
    if (!slice_eq(buf_slice(&got), slice_of(want)))
        fail_msg("%.*s, not %s", SLICE_ARG(buf_slice(&got)), want);
    buf_done(&got);
    kit_free(k);
}

static void test_cuts(void **state) {
    (void)state;
    check_cut((unsigned[]){0}, "");
    check_cut((unsigned[]){1, 0}, "1 d1.example");
    check_cut((unsigned[]){1, 1, 0}, "2");
    check_cut((unsigned[]){31, 31, 0}, "62");
    check_cut((unsigned[]){32, 31, 0}, "32 d1.example, 31 d2.example");
    check_cut((unsigned[]){31, 32, 0}, "31 d1.example, 32 d2.example");
    check_cut((unsigned[]){5, 300, 5, 5, 0}, "5 d1.example, 256 d2.example, 44 d2.example, 10");
    check_cut((unsigned[]){256, 256, 0}, "256 d1.example, 256 d2.example");
    check_cut((unsigned[]){257, 0}, "256 d1.example, 1 d1.example");
    /* nine small domains are 270: the ninth does not fit, and is not torn */
    check_cut((unsigned[]){30, 30, 30, 30, 30, 30, 30, 30, 30, 0}, "240, 30 d9.example");
    /* the ninth grows large after the shared ones had to go */
    check_cut((unsigned[]){30, 30, 30, 30, 30, 30, 30, 30, 60, 1, 0}, "240, 60 d9.example, 1 d10.example");
}

static void test_rows(void **state) {
    (void)state;
    struct kit *k = kit_open();
    add_domain(k, 3, 20);
    add_domain(k, 9, 100);
    assert_int_equal(finish(k), 120);
    assert_int_equal(k->seen.count, 2);
    assert_true(slice_eq(chunk_table_address(k->seen.tables[0], 19), SLICE("p19@d3.example")));
    assert_true(slice_eq(chunk_table_value(k->seen.tables[1], 99, 0), SLICE("p99@d9.example")));
    assert_true(slice_eq(chunk_table_value(k->seen.tables[1], 99, 1), SLICE("vvvvvvvvvv")));
    assert_int_equal(k->seen.made[1].first_hash, UINT64_C(9) << 40);
    assert_int_equal(k->seen.made[1].last_hash, (UINT64_C(9) << 40) + 99);
    kit_free(k);
}

static void test_duplicates(void **state) {
    (void)state;
    struct kit *k = kit_open();
    struct err err = {0};
    assert_int_equal(add(k->chunker, 1, 5, "Anna@d1.example", 1, &err), 0);
    assert_int_equal(add(k->chunker, 1, 5, "anna@d1.example", 2, &err), 0);
    assert_int_equal(add(k->chunker, 1, 5, "other@d1.example", 3, &err), 0); /* the same hash by chance */
    assert_int_equal(add(k->chunker, 1, 5, "ANNA@d1.example", 4, &err), 0);
    assert_int_equal(add(k->chunker, 1, 5, "other@d1.example", 5, &err), 0);
    assert_int_equal(add(k->chunker, 1, 6, "anna@d1.example", 6, &err), 0); /* can't be, is not looked for */
    assert_int_equal(finish(k), 3);
    assert_int_equal(k->seen.duplicates, 3);
    assert_true(slice_eq(chunk_table_address(k->seen.tables[0], 0), SLICE("Anna@d1.example")));
    assert_int_equal(chunk_table_value(k->seen.tables[0], 0, 1).len, 1);
    kit_free(k);
}

/* Rows of one hash at the place of a cut stay together; too many of them are an error. */
static void test_equal_hashes(void **state) {
    (void)state;
    struct kit *k = kit_open();
    struct err err = {0};
    add_domain(k, 1, 254);
    for (unsigned i = 0; i < 10; i++) {
        char address[64];
        snprintf(address, sizeof address, "q%u@d1.example", i);
        assert_int_equal(add(k->chunker, 1, 1000, address, 1, &err), 0);
    }
    assert_int_equal(finish(k), 264);
    assert_int_equal(k->seen.made[0].count, 254);
    assert_int_equal(k->seen.made[1].count, 10);
    kit_free(k);

    k = kit_open();
    int status = 0;
    unsigned i = 0;
    for (; i < 300 && status == 0; i++) {
        char address[64];
        snprintf(address, sizeof address, "q%u@d1.example", i);
        status = add(k->chunker, 1, 1000, address, 1, &err);
    }
    assert_int_equal(status, -1);
    assert_int_equal(i, 257);
    assert_int_equal(err.kind, ERR_INPUT);
    kit_free(k);
}

/* Two domains whose hashes agree in the high bits come mixed: no chunk may claim one of them. */
static void test_mixed_by_chance(void **state) {
    (void)state;
    struct kit *k = kit_open();
    struct err err = {0};
    for (unsigned i = 0; i < 600; i++) {
        char address[64];
        snprintf(address, sizeof address, "p%u@%s.example", i, i == 300 ? "tiny" : "large");
        assert_int_equal(add(k->chunker, 1, i, address, 1, &err), 0);
    }
    assert_int_equal(finish(k), 600);
    assert_int_equal(k->seen.count, 3);
    assert_string_equal(k->seen.domains[0], "large.example");
    assert_string_equal(k->seen.domains[1], "");
    assert_string_equal(k->seen.domains[2], "large.example");
    kit_free(k);
}

static void test_large_rows(void **state) {
    (void)state;
    struct kit *k = kit_open();
    struct err err = {0};
    for (unsigned i = 0; i < 10; i++) {
        char address[64];
        snprintf(address, sizeof address, "p%u@d.example", i);
        assert_int_equal(add(k->chunker, 1, i, address, 300000, &err), 0);
    }
    assert_int_equal(finish(k), 10);
    assert_int_equal(k->seen.count, 4); /* three of 300 KB in a megabyte */
    assert_int_equal(k->seen.made[0].count, 3);
    kit_free(k);
}

static void test_stops(void **state) {
    (void)state;
    struct kit *k = kit_open();
    struct err err = {0};
    k->seen.fail_at = 1;
    add_domain(k, 1, 500);
    assert_int_equal(chunker_finish(k->chunker, &err), -1);
    assert_string_equal(err.text, "as asked");
    assert_int_equal(chunker_add(k->chunker, UINT64_C(2) << 40, SLICE("\377"), &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    kit_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_equal_hashes),
        cmocka_unit_test(test_mixed_by_chance),
        cmocka_unit_test(test_large_rows),
        cmocka_unit_test(test_stops),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
