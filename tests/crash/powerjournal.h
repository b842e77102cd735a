/* The undo journal that libpowercut writes and powercut-undo reads.
 *
 * In the journal directory: "f-INODE" for what was written to a file since its last sync, "d-INODE" for the
 * names made, moved and removed in a directory since its last sync, "keep-N" hard links to what was removed
 * or replaced. A journal is a power_head and then records; those before `valid_from` have become durable. A
 * record is written before the change that it undoes, so a torn one at the end undoes nothing. */
#ifndef TSUBAME_POWERJOURNAL_H
#define TSUBAME_POWERJOURNAL_H

#include <stddef.h>
#include <stdint.h>

#define POWER_MAGIC  UINT64_C(0x31747563726577af)
#define POWER_RECORD UINT32_C(0x7265c0de)

enum power_kind {
    POWER_WRITE = 1, /* range [off, off + len) of a file of old_size bytes; payload: what stood there */
    POWER_PIN,       /* that range was written through (O_SYNC): records before this leave it alone */
    POWER_CREATE,    /* payload: path */
    POWER_MKDIR,     /* payload: path */
    POWER_RMDIR,     /* payload: path */
    POWER_UNLINK,    /* payload: path, keep */
    POWER_RENAME     /* payload: from, to, keep (empty when `to` did not exist) */
};

struct power_head {
    uint64_t magic;
    uint64_t valid_from; /* offset in the journal */
};

struct power_record {
    uint32_t magic;
    uint32_t kind;
    uint64_t seq; /* rises over all journals of a directory */
    uint64_t off;
    uint64_t len;
    uint64_t old_size;
    uint32_t payload; /* bytes behind this header; for names each is ended by NUL */
    uint32_t check;   /* power_check of header (with check = 0) and payload */
};

static inline uint32_t power_fnv(uint32_t h, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT32_C(16777619);
    return h;
}

static inline uint32_t power_check(struct power_record r, const void *payload) {
    r.check = 0;
    return power_fnv(power_fnv(UINT32_C(2166136261), &r, sizeof r), payload, r.payload);
}

#endif
