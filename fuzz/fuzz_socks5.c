/* Fuzz target: the replies of a SOCKS5 proxy.
 *
 * The first byte chooses options, the rest is what the proxy says. Checked beside memory: whole and single
 * bytes end alike and after the same number of bytes; it never wants more than its room; it asks for the
 * target before it calls it connected. */
#include "socks5.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct ending {
    enum socks5_result result;
    size_t read;
};

static struct ending talk(uint8_t choice, const uint8_t *data, size_t size, size_t step) {
    static const struct net_addr targets[] = {{.family = NET_V4, .port = 25, .bytes = {192, 0, 2, 1}},
                                              {.family = NET_V6, .port = 25, .bytes = {0x20, 1, 0xd, 0xb8}}};
    struct socks5 s;
    struct ending e = {SOCKS5_MORE, 0};
    bool login = choice & 2;
    socks5_init(&s, &targets[choice & 1], login ? "user" : NULL, login ? "secret" : NULL);
    while (e.result == SOCKS5_MORE && e.read < size) {
        struct slice out = socks5_output(&s);
        size_t n = socks5_wants(&s);
        socks5_wrote(&s, out.len);
        assert(n > 0 && n <= sizeof s.in);
        if (n > step) n = step;
        if (n > size - e.read) n = size - e.read;
        e.result = socks5_input(&s, slice_make(data + e.read, n));
        e.read += n;
    }
    if (e.result == SOCKS5_CONNECTED) assert(s.asked && socks5_output(&s).len == 0);
    if (e.result > SOCKS5_CONNECTED) assert(s.text[0]);
    socks5_done(&s);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct ending whole = talk(data[0], data + 1, size - 1, size),
                  bytes = talk(data[0], data + 1, size - 1, 1);
    if (whole.result != bytes.result || whole.read != bytes.read) abort();
    return 0;
}
