/* Fuzz target: addresses. What is taken is canonical: safe to stand in a command, within its lengths, and
 * taken again unchanged. */
#include "address.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct address a, again;
    struct slice domain;
    struct err err = {.kind = ERR_NONE};
    arena_init(&arena, 8192);
    if (address_parse(slice_make(data, size), &arena, &a, &err)) {
        assert(err.kind == ERR_INPUT && slice_starts(slice_of(err.text), SLICE("byte ")));
    } else {
        assert(a.text.len <= ADDRESS_MAX && a.local.len <= ADDRESS_LOCAL_MAX && a.domain.len >= 3);
        assert(a.local.at == a.text.at && a.domain.at == a.text.at + a.local.len + 1);
        assert(a.domain.at[-1] == '@' && a.local.len + 1 + a.domain.len == a.text.len);
        for (size_t i = 0; i < a.text.len; i++)
            assert(a.text.at[i] > ' ' && a.text.at[i] <= '~' && a.text.at[i] != '<' && a.text.at[i] != '>');
        assert(address_parse(a.text, &arena, &again, &err) == 0 && slice_eq(a.text, again.text));
        assert(address_hash(1, &a) == address_hash(1, &again));
        assert(address_parse_domain(a.domain, &arena, &domain, &err) == 0 && slice_eq(domain, a.domain));
    }
    arena_done(&arena);
    return 0;
}
