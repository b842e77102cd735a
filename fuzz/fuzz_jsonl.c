/* Fuzz target: JSON lines. Besides memory: what comes out does not depend on how the bytes come in, lines
 * rise, and what is a row is a packed map that is whole and has its address. */
#include "jsonl.h"

#include "hash.h"
#include "value.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t fold(uint64_t sum, struct slice s) {
    return hash_bytes(s, sum) ^ s.len;
}

static uint64_t read_all(int fd, struct slice bytes, struct slice wanted) {
    struct listtext text;
    struct slice key;
    struct jsonl_row row;
    struct err err;
    uint64_t sum = 1, line = 0;
    if (listtext_init(&text, fd, bytes, LIST_UTF8, &err)) abort();
    struct jsonl *j = jsonl_open(&text, &err);
    if (!j) abort();
    if (jsonl_begin(j, wanted, &key, &err)) {
        sum = fold(sum, slice_of(err.text));
    } else {
        sum = fold(sum, key);
        while (jsonl_next(j, &row, &err) == 1) {
            struct value map;
            struct slice rest = row.value;
            assert(row.line > line && row.raw.len <= LISTTEXT_LINE_MAX);
            line = row.line;
            sum = fold(sum, row.bad ? slice_of(row.bad) : row.address);
            if (!row.bad) assert(value_take(&rest, &map) && rest.len == 0 && map.kind == VALUE_MAP);
        }
        assert(text.gone + text.start <= text.gone + text.end && text.start == text.end);
    }
    jsonl_free(j);
    listtext_done(&text);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = slice_make(data, size), none = {NULL, 0};
    struct slice wanted = size && data[size - 1] == '#' ? SLICE("a.b") : none;
    uint64_t direct = read_all(-1, bytes, wanted);
    int ends[2];
    if (size > 4096 || pipe(ends)) return 0; /* what a pipe holds without a reader */
    if (write(ends[1], data, size) != (ssize_t)size) abort();
    close(ends[1]);
    if (read_all(ends[0], none, wanted) != direct) abort();
    close(ends[0]);
    return 0;
}
