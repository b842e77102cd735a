/* SOCKS version 5: which way to log in, the log-in, the request; a reply to each.
 *
 * A reply is read in pieces, as its first bytes say how long it is. Of a refusal no more is read than its
 * code: some proxies close behind it. */
#include "socks5.h"

#include <assert.h>
#include <stdio.h>

enum { VERSION = 5, LOGIN_VERSION = 1, CONNECT = 1, BY_NOTHING = 0, BY_PASSWORD = 2, BY_NO_WAY = 0xff };
enum { IPV4 = 1, NAME = 3, IPV6 = 4 };
enum step { METHOD, LOGIN, REPLY, ADDRESS, REST };

static void put(struct socks5 *s, const void *bytes, size_t n) {
    assert(s->out_len + n <= sizeof s->out);
    memcpy(s->out + s->out_len, bytes, n);
    s->out_len = (uint16_t)(s->out_len + n);
}

static void put_byte(struct socks5 *s, size_t byte) {
    uint8_t b = (uint8_t)byte;
    put(s, &b, 1);
}

static void expect(struct socks5 *s, enum step step, uint16_t want) {
    s->step = (uint8_t)step;
    s->want = want;
}

static void start(struct socks5 *s) {
    explicit_bzero(s->out, sizeof s->out);
    s->out_len = s->out_at = s->have = 0;
}

void socks5_init(struct socks5 *s, const struct net_addr *target, const char *user, const char *password) {
    assert(target->family != NET_NONE && !user == !password);
    *s = (struct socks5){.target = *target, .user = user, .password = password};
    put_byte(s, VERSION);
    put_byte(s, user ? 2 : 1);
    put_byte(s, BY_NOTHING);
    if (user) put_byte(s, BY_PASSWORD);
    expect(s, METHOD, 2);
}

void socks5_done(struct socks5 *s) {
    start(s);
}

static void put_login(struct socks5 *s) {
    size_t user = strlen(s->user), password = strlen(s->password);
    assert(user <= SOCKS5_NAME_MAX && password <= SOCKS5_NAME_MAX);
    start(s);
    put_byte(s, LOGIN_VERSION);
    put_byte(s, user);
    put(s, s->user, user);
    put_byte(s, password);
    put(s, s->password, password);
    expect(s, LOGIN, 2);
}

static void put_request(struct socks5 *s) {
    bool four = s->target.family == NET_V4;
    start(s);
    put_byte(s, VERSION);
    put_byte(s, CONNECT);
    put_byte(s, 0);
    put_byte(s, four ? IPV4 : IPV6);
    put(s, s->target.bytes, four ? 4 : 16);
    put_byte(s, s->target.port >> 8);
    put_byte(s, s->target.port & 0xff);
    s->asked = true;
    expect(s, REPLY, 2);
}

struct slice socks5_output(const struct socks5 *s) {
    return slice_make(s->out + s->out_at, (size_t)(s->out_len - s->out_at));
}

void socks5_wrote(struct socks5 *s, size_t n) {
    assert(n <= (size_t)(s->out_len - s->out_at));
    s->out_at = (uint16_t)(s->out_at + n);
}

size_t socks5_wants(const struct socks5 *s) {
    return (size_t)(s->want - s->have);
}

/* ---- replies ---- */

static enum socks5_result end(struct socks5 *s, enum socks5_result result, const char *text) {
    s->want = s->have;
    snprintf(s->text, sizeof s->text, "%s", text);
    return result;
}

static bool is_version(struct socks5 *s, uint8_t version) {
    unsigned byte = s->in[0];
    if (byte == version) return true;
    s->want = s->have;
    snprintf(s->text, sizeof s->text, "it does not speak SOCKS5: its answer begins with byte 0x%02x", byte);
    return false;
}

static enum socks5_result take_method(struct socks5 *s) {
    if (!is_version(s, VERSION)) return SOCKS5_BROKEN;
    switch (s->in[1]) {
    case BY_NOTHING: put_request(s); return SOCKS5_MORE;
    case BY_PASSWORD:
        if (!s->user) break;
        put_login(s);
        return SOCKS5_MORE;
    case BY_NO_WAY:
        return end(s, SOCKS5_BROKEN,
                   s->user ? "it takes neither a password nor clients without one"
                           : "it wants a log-in, and none is configured");
    default: break;
    }
    return end(s, SOCKS5_BROKEN, "it chose a way to log in that was not offered");
}

static enum socks5_result take_login(struct socks5 *s) {
    if (!is_version(s, LOGIN_VERSION)) return SOCKS5_BROKEN;
    if (s->in[1] != 0) return end(s, SOCKS5_BROKEN, "it refused user name and password");
    put_request(s);
    return SOCKS5_MORE;
}

static const struct {
    enum socks5_result result;
    const char *text;
} refusals[] = {
    [1] = {SOCKS5_REFUSED, "general failure (SOCKS5 reply 1)"},
    [2] = {SOCKS5_REFUSED, "its rules do not allow this connection (SOCKS5 reply 2)"},
    [3] = {SOCKS5_TARGET, "Network is unreachable (SOCKS5 reply 3)"},
    [4] = {SOCKS5_TARGET, "No route to host (SOCKS5 reply 4)"},
    [5] = {SOCKS5_TARGET, "Connection refused (SOCKS5 reply 5)"},
    [6] = {SOCKS5_TARGET, "Connection timed out (SOCKS5 reply 6)"},
    [7] = {SOCKS5_BROKEN, "it does not make connections for others (SOCKS5 reply 7)"},
    [8] = {SOCKS5_REFUSED, "it does not connect to addresses of this family (SOCKS5 reply 8)"},
};

static enum socks5_result take_reply(struct socks5 *s) {
    unsigned code = s->in[1];
    if (!is_version(s, VERSION)) return SOCKS5_BROKEN;
    if (code == 0) {
        expect(s, ADDRESS, 5);
        return SOCKS5_MORE;
    }
    if (code < sizeof refusals / sizeof *refusals) return end(s, refusals[code].result, refusals[code].text);
    s->want = s->have;
    snprintf(s->text, sizeof s->text, "a failure that SOCKS5 does not know (reply %u)", code);
    return SOCKS5_REFUSED;
}

/* Where it connects from follows, and is of no interest. */
static enum socks5_result take_address(struct socks5 *s) {
    switch (s->in[3]) {
    case IPV4: expect(s, REST, 10); return SOCKS5_MORE;
    case IPV6: expect(s, REST, 22); return SOCKS5_MORE;
    case NAME: expect(s, REST, (uint16_t)(7 + s->in[4])); return SOCKS5_MORE;
    default: return end(s, SOCKS5_BROKEN, "its reply has an address of an unknown kind");
    }
}

static enum socks5_result take_piece(struct socks5 *s) {
    switch ((enum step)s->step) {
    case METHOD: return take_method(s);
    case LOGIN: return take_login(s);
    case REPLY: return take_reply(s);
    case ADDRESS: return take_address(s);
    case REST: break;
    }
    return SOCKS5_CONNECTED;
}

enum socks5_result socks5_input(struct socks5 *s, struct slice bytes) {
    assert(bytes.len <= socks5_wants(s));
    if (bytes.len) memcpy(s->in + s->have, bytes.at, bytes.len);
    s->have = (uint16_t)(s->have + bytes.len);
    return s->have < s->want ? SOCKS5_MORE : take_piece(s);
}
