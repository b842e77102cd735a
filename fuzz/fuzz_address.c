/* Fuzz target: addresses. What is taken is canonical: safe to stand in a command, within its lengths, and
 * taken again unchanged. */
#include "address.h"

#include "codec.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct address a, again;
    struct slice domain;
    struct err err = {.kind = ERR_NONE};
    arena_init(&arena, 8192);
    struct slice trimmed = address_trim(slice_make(data, size));
    assert(slice_eq(address_trim(trimmed), trimmed));
    if (address_parse(slice_make(data, size), &arena, &a, &err)) {
        assert(err.kind == ERR_INPUT && slice_starts(slice_of(err.text), SLICE("byte ")));
    } else {
        assert(a.text.len <= ADDRESS_MAX && a.local.len <= ADDRESS_LOCAL_MAX && a.domain.len >= 3);
        assert(a.local.at == a.text.at && a.domain.at == a.text.at + a.local.len + 1);
        assert(a.domain.at[-1] == '@' && a.local.len + 1 + a.domain.len == a.text.len);
        bool ascii = true;
        for (size_t i = 0; i < a.text.len; i++) {
            unsigned char c = (unsigned char)a.text.at[i];
            assert(c > ' ' && c != 0x7f && c != '<' && c != '>');
            ascii &= c < 0x80;
        }
        assert(a.utf8 == !ascii && codec_utf8_valid(a.text));
        for (size_t i = 0; i < a.domain.len; i++)
            assert((unsigned char)a.domain.at[i] < 0x80);
        assert(address_parse_ascii(a.text, &arena, &again, &err) == (ascii ? 0 : -1));
        assert(address_parse(a.text, &arena, &again, &err) == 0 && slice_eq(a.text, again.text));
        assert(address_hash(1, &a) == address_hash(1, &again));
        assert(address_parse_domain(a.domain, &arena, &domain, &err) == 0 && slice_eq(domain, a.domain));
    }
    arena_done(&arena);
    return 0;
}
