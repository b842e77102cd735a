/* Fuzz target: the CSV reader. Besides memory: what it yields does not depend on how the bytes come in, lines
 * rise, every field lies within its bounds, and what is a row reads back as the same row. */
#include "csv.h"

#include "buf.h"
#include "codec.h"
#include "hash.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t fold(uint64_t sum, struct slice s) {
    return hash_bytes(s, sum) ^ s.len;
}

/* The row written out with every field in quotes must be read as the same row. */
static void read_back(const struct csv_row *row) {
    struct buf text;
    const struct slice *again;
    size_t count;
    buf_init(&text, 4 << 20);
    for (size_t i = 0; i < row->count; i++) {
        buf_put_text(&text, i ? ",\"" : "\"");
        for (size_t k = 0; k < row->fields[i].len; k++) {
            if (row->fields[i].at[k] == '"') buf_put_c(&text, '"');
            buf_put_c(&text, row->fields[i].at[k]);
        }
        buf_put_c(&text, '"');
    }
    if (text.len <= CSV_ROW_MAX) {
        struct csv *c = csv_open_bytes(buf_slice(&text), NULL);
        struct err err;
        if (!c) abort();
        int rc = csv_header(c, &again, &count, &err);
        assert(rc || count == row->count);
        for (size_t i = 0; rc == 0 && i < count; i++)
            assert(slice_eq(again[i], slice_trim(row->fields[i])));
        csv_free(c);
    }
    buf_done(&text);
}

static uint64_t read_all(struct csv *c, size_t most) {
    const struct slice *names;
    struct csv_row row;
    struct err err;
    size_t count, rows = 0;
    uint64_t sum = 1, line = 0;
    if (csv_header(c, &names, &count, &err)) return 0;
    csv_address_column(names, count, (struct slice){NULL, 0}, &err);
    while (csv_next(c, &row, &err) == 1) {
        assert(row.line > line && row.raw.len <= CSV_ROW_MAX);
        assert(!row.bad == (row.count == count) && (row.bad == NULL) == (row.fields != NULL));
        line = row.line;
        sum = fold(sum, row.bad ? slice_of(row.bad) : row.raw);
        for (size_t i = 0; row.fields && i < row.count; i++) {
            assert(row.fields[i].len <= CSV_FIELD_MAX && codec_utf8_valid(row.fields[i]));
            sum = fold(sum, row.fields[i]);
        }
        if (!row.bad && rows++ < most) read_back(&row);
    }
    return sum ^ csv_bytes_read(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct csv *c = csv_open_bytes(slice_make(data, size), NULL);
    if (!c) abort();
    uint64_t direct = read_all(c, 8);
    csv_free(c);
    int ends[2];
    if (size > 4096 || pipe(ends)) return 0; /* what a pipe holds without a reader */
    if (write(ends[1], data, size) != (ssize_t)size) abort();
    close(ends[1]);
    c = csv_open(ends[0], NULL);
    if (!c || read_all(c, 0) != direct) abort();
    csv_free(c);
    close(ends[0]);
    return 0;
}
