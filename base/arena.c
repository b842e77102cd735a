/* Arenas: a list of blocks, the newest being filled. */
#include "arena.h"

#include <stdlib.h>

struct arena_block {
    struct arena_block *older;
    size_t size;
    size_t used;
    max_align_t bytes[];
};

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 256 * 1024 };

void arena_init(struct arena *a, size_t max) {
    *a = (struct arena){.max = max};
}

static void free_from(struct arena_block *block) {
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_done(struct arena *a) {
    free_from(a->blocks);
    *a = (struct arena){.max = a->max};
}

void arena_reset(struct arena *a) {
    a->used = 0;
    if (!a->blocks) return;
    free_from(a->blocks->older);
    a->blocks->older = NULL;
    a->blocks->used = 0;
}

static struct arena_block *add_block(struct arena *a, size_t need) {
    size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK) size = LARGEST_BLOCK;
    if (size < need) size = need;
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block) return NULL;
    *block = (struct arena_block){.older = a->blocks, .size = size};
    return a->blocks = block;
}

void *arena_alloc(struct arena *a, size_t n) {
    if (n > SIZE_MAX / 2) return NULL;
    n = (n + 7) & ~(size_t)7;
    if (n > a->max - a->used) return NULL;
    struct arena_block *block = a->blocks;
    if (!block || block->size - block->used < n) block = add_block(a, n);
    if (!block) return NULL;
    void *at = (char *)block->bytes + block->used;
    block->used += n;
    a->used += n;
    return at;
}

void *arena_zalloc(struct arena *a, size_t n) {
    void *at = arena_alloc(a, n);
    if (at) memset(at, 0, n);
    return at;
}

char *arena_string(struct arena *a, struct slice s) {
    char *at = arena_alloc(a, s.len + 1);
    if (!at) return NULL;
    if (s.len) memcpy(at, s.at, s.len);
    at[s.len] = 0;
    return at;
}

bool arena_copy(struct arena *a, struct slice s, struct slice *copy) {
    char *at = arena_string(a, s);
    if (!at) return false;
    *copy = slice_make(at, s.len);
    return true;
}
