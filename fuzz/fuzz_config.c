/* The configuration reader: any bytes give options or problems in words, and what is shown of good ones reads
 * back. */
#include "options.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf problems, shown;
    buf_init(&problems, 1 << 20);
    buf_init(&shown, 8 << 20);
    struct options *o = options_parse(slice_make(data, size), "dir/t.yaml", &problems);
    if (!o && problems.len == 0) abort();
    if (o) {
        options_show(o, &shown);
        buf_reset(&problems);
        struct options *again = options_parse(buf_slice(&shown), "/t.yaml", &problems);
        if (!again && !shown.failed && o->store.path[0] == '/') abort();
        options_free(again);
        options_free(o);
    }
    buf_done(&problems);
    buf_done(&shown);
    return 0;
}
