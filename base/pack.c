/* Zstandard with kept contexts. Sizes are checked before memory is given out: a few bytes can claim
 * gigabytes. */
#include "pack.h"

#include <stdlib.h>
#include <zstd.h>

struct pack {
    ZSTD_CCtx *in;
    ZSTD_DCtx *out;
    int level;
};

struct pack *pack_new(int level) {
    struct pack *p = calloc(1, sizeof *p);
    if (p) p->level = level;
    return p;
}

void pack_free(struct pack *p) {
    if (!p) return;
    ZSTD_freeCCtx(p->in);
    ZSTD_freeDCtx(p->out);
    free(p);
}

static bool ready_in(struct pack *p) {
    if (p->in) return true;
    p->in = ZSTD_createCCtx();
    return p->in && !ZSTD_isError(ZSTD_CCtx_setParameter(p->in, ZSTD_c_compressionLevel, p->level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(p->in, ZSTD_c_checksumFlag, 1));
}

bool pack_put(struct pack *p, struct slice bytes, struct buf *out) {
    if (!ready_in(p)) return false;
    size_t room = ZSTD_compressBound(bytes.len);
    /* A frame may still fit where its upper bound does not. */
    if (!out->failed && room > out->max - out->len) room = out->max - out->len;
    char *to = buf_room(out, room);
    if (!to) return false;
    size_t n = ZSTD_compress2(p->in, to, room, bytes.at, bytes.len);
    if (ZSTD_isError(n)) {
        out->failed = true;
        return false;
    }
    buf_grew(out, n);
    return true;
}

bool pack_size(struct slice frame, uint64_t *size) {
    unsigned long long n = ZSTD_getFrameContentSize(frame.at, frame.len);
    *size = n;
    return n != ZSTD_CONTENTSIZE_UNKNOWN && n != ZSTD_CONTENTSIZE_ERROR;
}

int pack_take(struct pack *p, struct slice frame, size_t most, struct buf *out, struct err *err) {
    uint64_t size;
    if (!pack_size(frame, &size)) return err_set(err, ERR_CORRUPT, "not a packed run of bytes");
    if (size > most)
        return err_set(err, ERR_CORRUPT, "%llu bytes packed where at most %zu may be",
                       (unsigned long long)size, most);
    if (!p->out) p->out = ZSTD_createDCtx();
    char *to = p->out ? buf_room(out, size ? (size_t)size : 1) : NULL;
    if (!to) return err_set(err, ERR_SYSTEM, "no memory to unpack %llu bytes", (unsigned long long)size);
    size_t n = ZSTD_decompressDCtx(p->out, to, (size_t)size, frame.at, frame.len);
    if (ZSTD_isError(n) || n != size)
        return err_set(err, ERR_CORRUPT, "packed bytes are damaged (%s)",
                       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "length");
    buf_grew(out, n);
    return 0;
}
