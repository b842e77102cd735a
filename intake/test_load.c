/* Loading a CSV file: every row is kept, rejected or a duplicate; what was kept is in the chunks. */
#include "load.h"

#include "address.h"
#include "chunk_table.h"
#include "hash.h"
#include "store_test_dir.h"
#include "value.h"

#include <fcntl.h>

enum { CAMPAIGN = 7, SEED = 99 };

struct kit {
    struct test_dir dir;
    struct store *store;
    int fd;
    struct load_options o;
    struct load *load;
    struct load_counts counts;
};

static struct kit *kit_open(struct slice csv, uint64_t reserve) {
    struct err err = {0};
    struct kit *k = calloc(1, sizeof *k);
    k->dir = test_dir_make();
    k->store = store_open(in_dir(&k->dir, "s"), &(struct store_options){.reserve = reserve}, &err);
    if (!k->store) fail_msg("%s", err.text);
    k->fd = open(in_dir(&k->dir, "a.csv"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(k->fd, csv.at, csv.len), csv.len);
    lseek(k->fd, 0, SEEK_SET);
    k->o = (struct load_options){.store = k->store, .fd = k->fd};
    return k;
}

static void kit_free(struct kit *k) {
    load_free(k->load);
    close(k->fd);
    store_free(k->store);
    test_dir_remove(&k->dir);
    free(k);
}

static void read_text(const char *path, struct buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_init(out, 1 << 20);
    if (fd < 0) return;
    char *to = buf_room(out, 1 << 18);
    ssize_t n = read(fd, to, 1 << 18);
    close(fd);
    buf_grew(out, n > 0 ? (size_t)n : 0);
}

/* Reads back every chunk of the campaign; calls each for every recipient. Returns recipients. */
static unsigned read_back(struct kit *k, void (*each)(const struct chunk_table *t, unsigned slot)) {
    struct err err = {0};
    struct store_reader *r = store_reader_open(k->store, &err);
    struct store_cursor c;
    struct store_key from = store_key_u64((uint64_t)CAMPAIGN << 28);
    struct pack *pack = pack_new(1);
    struct buf stored;
    unsigned total = 0;
    uint64_t chunks = 0, key, last = 0;
    buf_init(&stored, CHUNK_TABLE_MAX);
    assert_int_equal(store_read_begin(r, &err), 0);
    assert_int_equal(store_cursor_init(&c, r, TABLE_CHUNK, &err), 0);
    for (int more = store_cursor_seek(&c, store_key_slice(&from), &err); more == 1;
         more = store_cursor_next(&c, &err), chunks++) {
        struct chunk_row row;
        if (chunk_row_decode(c.value, &row, &err) < 0) fail_msg("%s", err.text);
        assert_true(store_key_number(c.key, 0, &key) && key == row.id);
        assert_int_equal(row.id, ((uint64_t)CAMPAIGN << 28) + chunks);
        assert_true(chunks == 0 || row.first_hash > last);
        last = row.last_hash;
        buf_reset(&stored);
        if (segment_read(k->store, row.table, &stored, &err) < 0) fail_msg("%s", err.text);
        struct chunk_table *t = chunk_table_decode(buf_slice(&stored), pack, &err);
        if (!t) {
            fail_msg("%s", err.text);
            abort();
        }
        assert_int_equal(t->count, row.count);
        for (unsigned slot = 0; slot < t->count; slot++) {
            struct arena arena;
            struct address a;
            arena_init(&arena, 4096);
            assert_int_equal(address_parse(chunk_table_address(t, slot), &arena, &a, &err), 0);
            uint64_t hash = address_hash(SEED, &a);
            assert_true(hash >= row.first_hash && hash <= row.last_hash);
            assert_true(row.domain.len == 0 || slice_eq(row.domain, a.domain));
            arena_done(&arena);
            if (each) each(t, slot);
        }
        total += row.count;
        chunk_table_free(t);
    }
    assert_int_equal(chunks, k->counts.chunks);
    store_cursor_done(&c);
    store_reader_free(r);
    pack_free(pack);
    buf_done(&stored);
    return total;
}

static void run_ok(struct kit *k) {
    struct err err = {0};
    k->load = load_open(&k->o, &err);
    if (!k->load) fail_msg("%s", err.text);
    if (load_run(k->load, CAMPAIGN, SEED, &k->counts, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(k->counts.rows, k->counts.rejected + k->counts.duplicates + k->counts.kept);
}

static const char SMALL[] = "name,E-Mail,city\r\n"
                            "Anna,anna@Example.COM,Kyoto\r\n"
                            "Bob,not an address,Osaka\r\n"
                            "\r\n"
                            "\"Clara, \"\"C\"\"\", clara@example.org ,Nara\r\n"
                            "too,few\r\n"
                            "Anna again,ANNA@example.com,Tokyo\r\n"
                            "Dora,dora@b\xc3\xbc\x63her.example,\xe6\x9d\xb1\xe4\xba\xac\r\n";

static unsigned checked;

static void check_small(const struct chunk_table *t, unsigned slot) {
    struct slice to = chunk_table_address(t, slot), name = chunk_table_value(t, slot, 0),
                 mail = chunk_table_value(t, slot, 1), city = chunk_table_value(t, slot, 2);
    assert_true(slice_eq(to, mail));
    if (slice_eq(to, SLICE("anna@example.com")))
        checked += slice_eq(name, SLICE("Anna")) && slice_eq(city, SLICE("Kyoto"));
    if (slice_eq(to, SLICE("clara@example.org")))
        checked += slice_eq(name, SLICE("Clara, \"C\"")) && slice_eq(city, SLICE("Nara"));
    if (slice_eq(to, SLICE("dora@xn--bcher-kva.example")))
        checked += slice_eq(name, SLICE("Dora")) && slice_eq(city, SLICE("\xe6\x9d\xb1\xe4\xba\xac"));
}

static void test_small(void **state) {
    (void)state;
    struct kit *k = kit_open(slice_of(SMALL), 1 << 20);
    char rejects[200];
    snprintf(rejects, sizeof rejects, "%s", in_dir(&k->dir, "rejected.csv"));
    k->o.reject_path = rejects;
    run_ok(k);
    assert_int_equal(k->counts.rows, 6);
    assert_int_equal(k->counts.rejected, 2);
    assert_int_equal(k->counts.duplicates, 1);
    assert_int_equal(k->counts.kept, 3);
    struct tally t = load_tally(&k->counts);
    assert_true(t.planned == 5 && t.failed == 2 && t.rejected == 2 && t.duplicates == 1);
    assert_int_equal(tally_pending(&t), 3);
    assert_true(slice_eq(load_columns_text(k->load), SLICE("name\nE-Mail\ncity")));
    checked = 0;
    assert_int_equal(read_back(k, check_small), 3);
    assert_int_equal(checked, 3);
    struct buf text;
    read_text(rejects, &text);
    assert_true(slice_starts(buf_slice(&text), SLICE("\xEF\xBB\xBFline,reason,row\r\n3,\"")));
    assert_true(slice_find_nocase(buf_slice(&text), SLICE("\"Bob,not an address,Osaka\"\r\n6,\"")) > 0);
    assert_true(slice_ends_nocase(buf_slice(&text), SLICE("\"too,few\"\r\n")));
    buf_done(&text);
    kit_free(k);
}

/* What a spreadsheet would calculate is text in the file of rejects. */
static void test_reject_formula(void **state) {
    (void)state;
    char rejects[200];
    struct kit *k =
        kit_open(SLICE("email,name\n=cmd|' /C calc'!A0,x\n@SUM(1),y\n\"=1\",z\na@b.example,fine\n"), 1 << 20);
    snprintf(rejects, sizeof rejects, "%s", in_dir(&k->dir, "rejected.csv"));
    k->o.reject_path = rejects;
    run_ok(k);
    struct buf text;
    read_text(rejects, &text);
    assert_true(slice_find_nocase(buf_slice(&text), SLICE(",\"'=cmd|' /C calc'!A0,x\"\r\n")) > 0);
    assert_true(slice_find_nocase(buf_slice(&text), SLICE(",\"'@SUM(1),y\"\r\n")) > 0);
    assert_true(slice_find_nocase(buf_slice(&text), SLICE(",\"\"\"=1\"\",z\"\r\n")) > 0);
    buf_done(&text);
    kit_free(k);
}

static void open_fails(const char *csv, struct slice column, const char *part) {
    struct err err = {0};
    struct kit *k = kit_open(slice_of(csv), 1 << 20);
    k->o.address_column = column;
    assert_null(load_open(&k->o, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    if (!strstr(err.text, part)) fail_msg("%s", err.text);
    kit_free(k);
}

static void test_bad_files(void **state) {
    (void)state;
    open_fails("", (struct slice){0}, "");
    open_fails("name,city\nAnna,Kyoto\n", (struct slice){0}, "city");
    open_fails("email,city\na@example.com,Kyoto\n", SLICE("address"), "city");
    open_fails("email,\"ci\nty\"\na@example.com,Kyoto\n", (struct slice){0}, "line break");
    open_fails("email,{}\na@example.com,Kyoto\n", (struct slice){0},
               "column 2 is called '{}': give it a name");
    open_fails("anna@example.com,Kyoto\nb@example.com,x\n", (struct slice){0},
               "the first row must name the columns, but it holds an address: anna@example.com");
    open_fails("Kyoto;\"用户@example.com\"\n", SLICE("Kyoto"), "must name the columns");
    open_fails("[{\"email\":\"a@b.example\"}]", (struct slice){0}, "write one object a line");
    open_fails(" [\n", (struct slice){0}, "write one object a line");
    open_fails("{\"name\":\"x\"}\n", (struct slice){0}, "there are: name");
    open_fails("\xff\xfe{\0", (struct slice){0}, "UTF-16");
}

static void run_fails(struct kit *k, enum err_kind kind, const char *part) {
    struct err err = {0};
    k->load = load_open(&k->o, &err);
    if (!k->load) fail_msg("%s", err.text);
    assert_int_equal(load_run(k->load, CAMPAIGN, SEED, &k->counts, &err), -1);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, part)) fail_msg("%s", err.text);
}

/* Of a list in CP932 recipients, rejects and the sample are in UTF-8. */
static void check_cp932(const struct chunk_table *t, unsigned slot) {
    checked += slice_eq(chunk_table_value(t, slot, 1), SLICE("山田"));
}

static void test_cp932(void **state) {
    (void)state;
    char rejects[200];
    struct kit *k =
        kit_open(SLICE("email;\x96\xbc\x91\x4f\r\na@b.example;Anna\r\nb@b.example;\x8e\x52\x93\x63\r\n"
                       "nobody;\x95\x5c\r\nc@b.example;\xf0\x40\x81\r\n"),
                 1 << 20);
    snprintf(rejects, sizeof rejects, "%s", in_dir(&k->dir, "rejected.csv"));
    k->o.reject_path = rejects;
    run_ok(k);
    assert_int_equal(k->counts.kept, 2);
    assert_string_equal(k->counts.read_as, "CSV in CP932 (Shift_JIS), separated by semicolons");
    assert_true(slice_eq(load_columns_text(k->load), SLICE("email\n名前")));
    checked = 0;
    read_back(k, check_cp932);
    assert_int_equal(checked, 1);
    struct load_sample sample = load_sample(k->load);
    assert_int_equal(sample.line, 3);
    assert_true(slice_eq(sample.values[0], SLICE("b@b.example")) &&
                slice_eq(sample.values[1], SLICE("山田")));
    struct buf text;
    read_text(rejects, &text);
    assert_true(slice_find_nocase(buf_slice(&text), SLICE(",\"nobody;表\"\r\n")) > 0);
    assert_true(slice_find_nocase(buf_slice(&text), SLICE(",\"c@b.example;\\xF0\\x40\\x81\"\r\n")) > 0);
    buf_done(&text);
    kit_free(k);
    k = kit_open(SLICE("email,n\nb@b.example,\x8e\x52\x93\x63\n"), 1 << 20);
    k->o.charset = LIST_UTF8; /* said so: then it is so */
    run_fails(k, ERR_INPUT, "not UTF-8");
    kit_free(k);
    k = kit_open(SLICE("email,n\nb@b.example,M\xfcller\n"), 1 << 20);
    k->o.charset = LIST_CP932;
    run_fails(k, ERR_INPUT, "not CP932");
    kit_free(k);
}

/* The object of a line is there again, packed, and only its address is another spelling. */
static void check_jsonl(const struct chunk_table *t, unsigned slot) {
    struct value object;
    struct slice rest = chunk_table_value(t, slot, 1);
    assert_int_equal(t->columns.count, 2);
    assert_true(value_take(&rest, &object) && rest.len == 0);
    struct value name = value_member(&object, SLICE("name")), items = value_member(&object, SLICE("items"));
    if (slice_eq(chunk_table_address(t, slot), SLICE("a@xn--r8jz45g.jp")))
        checked += slice_eq(name.bytes, SLICE("Anna")) && items.count == 2;
    if (slice_eq(chunk_table_address(t, slot), SLICE("用户@b.example")))
        checked += slice_eq(name.bytes, SLICE("B")) && items.kind == VALUE_NONE;
}

static void test_jsonl(void **state) {
    (void)state;
    char rejects[200];
    struct kit *k =
        kit_open(SLICE("{\"mail\":\" a@例え.jp\",\"name\":\"Anna\",\"items\":[1,{\"x\":2}]}\n"
                       "{\"mail\":\"用户@B.example\",\"name\":\"B\"}\n\n"
                       "{\"mail\":\"A@例え.jp\"}\n{\"mail\":\"nobody\"}\n{\"mail\":7}\n{\"mail\"}\n"),
                 1 << 20);
    snprintf(rejects, sizeof rejects, "%s", in_dir(&k->dir, "rejected.csv"));
    k->o.reject_path = rejects;
    run_ok(k);
    assert_true(k->counts.rows == 6 && k->counts.kept == 2 && k->counts.duplicates == 1 &&
                k->counts.rejected == 3);
    assert_string_equal(k->counts.read_as, "JSON lines in UTF-8");
    assert_true(slice_eq(load_columns_text(k->load), SLICE("mail\n" DATA_COLUMN)));
    checked = 0;
    assert_int_equal(read_back(k, check_jsonl), 2);
    assert_int_equal(checked, 2);
    assert_true(slice_starts(load_sample(k->load).values[1], SLICE("{\"mail\":\" a@")));
    struct buf text;
    read_text(rejects, &text);
    assert_true(slice_find_nocase(buf_slice(&text),
                                  SLICE("\r\n6,\"'mail' is not a text\",\"{\"\"mail\"\":7}\"\r\n")) > 0);
    assert_true(slice_find_nocase(buf_slice(&text), SLICE("\r\n7,\"column 8: ':' expected near '}'\"")) > 0);
    buf_done(&text);
    kit_free(k);
}

static void test_nothing_good(void **state) {
    (void)state;
    struct kit *k = kit_open(SLICE("email\n"), 1 << 20);
    run_fails(k, ERR_INPUT, "there is no row");
    kit_free(k);
    k = kit_open(SLICE("email\nnobody\n@\n"), 1 << 20);
    run_fails(k, ERR_INPUT, "none of the 2 rows can be used; the first, line 2: ");
    assert_int_equal(access(in_dir(&k->dir, "rejected.csv"), F_OK), -1);
    kit_free(k);
}

/* An audience as in life: a few large domains, many small ones, and some rows twice. */
static void make_audience(struct buf *csv, unsigned rows) {
    buf_init(csv, 64 << 20);
    buf_put_text(csv, "email,name,code\n");
    for (unsigned i = 0; i < rows; i++) {
        uint64_t x = hash_mix(i);
        if (x % 10 < 6)
            buf_printf(csv, "user%u@big%u.example,", i, (unsigned)(x >> 8) % 12);
        else
            buf_printf(csv, "user%u@d%u.example,", i, (unsigned)(x >> 8) % (rows / 20 + 1));
        buf_printf(csv, "Person Number %u,%u\n", i, i * 7);
        if (i % 100 == 7) buf_printf(csv, "USER%u@big0.example,again,\nuser%u@big0.example,again,\n", i, i);
    }
    assert_false(csv->failed);
}

static void check_large(const struct chunk_table *t, unsigned slot) {
    uint64_t i, code;
    struct slice to = chunk_table_address(t, slot), user;
    slice_cut(&to, '@', &user);
    assert_true(slice_to_u64(slice_skip(user, 4), &i));
    if (slice_eq(chunk_table_value(t, slot, 1), SLICE("again"))) return;
    assert_true(slice_to_u64(chunk_table_value(t, slot, 2), &code));
    assert_int_equal(code, i * 7);
    checked++;
}

static void note_progress(void *ctx, const struct load_counts *c) {
    unsigned *calls = ctx;
    assert_true(c->bytes_read > 0);
    (*calls)++;
}

static void test_large(void **state) {
    (void)state;
    enum { ROWS = 100000 };
    struct buf csv;
    unsigned calls = 0;
    make_audience(&csv, ROWS);
    struct kit *k = kit_open(buf_slice(&csv), 1 << 20);
    k->o.memory = 1 << 20; /* several runs */
    k->o.progress = note_progress;
    k->o.ctx = &calls;
    run_ok(k);
    assert_true(calls >= 2);
    assert_int_equal(k->counts.rows, ROWS + 2 * (ROWS / 100));
    assert_int_equal(k->counts.rejected, 0);
    assert_true(k->counts.duplicates >= ROWS / 100);
    assert_int_equal(k->counts.bytes_read, csv.len);
    checked = 0;
    assert_int_equal(read_back(k, check_large), k->counts.kept);
    assert_true(checked >= ROWS - ROWS / 100 && checked <= ROWS);
    buf_done(&csv);
    kit_free(k);
}

static void test_stop(void **state) {
    (void)state;
    struct buf csv;
    int stop = 1;
    make_audience(&csv, 5000);
    struct kit *k = kit_open(buf_slice(&csv), 1 << 20);
    k->o.stop = &stop;
    run_fails(k, ERR_BUSY, "stopped");
    assert_true(k->counts.rows < 5000);
    buf_done(&csv);
    kit_free(k);
}

/* The store keeps back more than the disk has: nothing is taken in, and nothing of it is in the ledger. */
static void test_no_space(void **state) {
    (void)state;
    struct buf csv;
    make_audience(&csv, 2000);
    struct kit *k = kit_open(buf_slice(&csv), UINT64_C(1) << 60);
    run_fails(k, ERR_SPACE, "nearly full");
    k->counts.chunks = 0;
    assert_int_equal(read_back(k, NULL), 0);
    buf_done(&csv);
    kit_free(k);
}

static void test_reject_file(void **state) {
    (void)state;
    struct kit *k = kit_open(slice_of(SMALL), 1 << 20);
    k->o.reject_path = "/no/such/folder/rejected.csv";
    run_fails(k, ERR_SYSTEM, "/no/such/folder/rejected.csv");
    kit_free(k);
    k = kit_open(SLICE("email\na@example.com\n"), 1 << 20);
    k->o.reject_path = "/no/such/folder/rejected.csv"; /* is not needed */
    run_ok(k);
    kit_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_nothing_good), cmocka_unit_test(test_large),
        cmocka_unit_test(test_stop),         cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_cp932),        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_reject_file),  cmocka_unit_test(test_reject_formula),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
