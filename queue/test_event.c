/* Tests of identities, slots, events and blocks. */
#include "codec.h"
#include "event.h"
#include "hash.h"
#include "rid.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- identities ---- */

static const struct rid_key key_a = {.id = 1, .secret = {1, 2, 3}}, key_b = {.id = 2, .secret = {1, 2, 3}},
                            key_c = {.id = 1, .secret = {3, 2, 1}};

static bool decodes(const struct rid_key *keys, size_t count, const char *text, uint32_t want_tenant,
                    uint64_t want_rid) {
    uint32_t tenant;
    uint64_t rid;
    if (!rid_decode(keys, count, slice_make(text, RID_TEXT_LEN), &tenant, &rid)) return false;
    assert_true(tenant == want_tenant && rid == want_rid);
    return true;
}

static void identities_come_back(void **state) {
    (void)state;
    const uint64_t rids[] = {0, 1, UINT64_MAX, rid_make(RID_CAMPAIGN_MAX, RID_CHUNK_MAX, 255),
                             rid_make(1, 2, 3)};
    const uint32_t tenants[] = {0, 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof rids / sizeof *rids; i++)
        for (size_t k = 0; k < 3; k++) {
            char text[RID_TEXT_LEN + 1] = {0};
            rid_encode(&key_a, tenants[k], rids[i], text);
            assert_int_equal(text[RID_TEXT_LEN], 0);
            assert_true(decodes(&key_a, 1, text, tenants[k], rids[i]));
            const struct rid_key both[] = {key_b, key_a};
            assert_true(decodes(both, 2, text, tenants[k], rids[i]));
            assert_false(decodes(&key_b, 1, text, 0, 0)); /* another id */
            assert_false(decodes(&key_c, 1, text, 0, 0)); /* another secret */
            assert_false(decodes(NULL, 0, text, 0, 0));
            for (int c = 0; c < RID_TEXT_LEN; c++) {
                assert_true(ascii_digit(text[c]) || (text[c] >= 'a' && text[c] <= 'z'));
                if (c % 2 && ascii_alpha(text[c])) text[c] = (char)(text[c] - 32);
            }
            assert_true(decodes(&key_a, 1, text, tenants[k], rids[i])); /* its case was folded */
        }
    assert_true(rid_chunk(rids[3]) == (UINT64_C(1) << 56) - 1 && rid_slot(rids[3]) == 255);
    assert_int_equal(chunk_campaign(rid_chunk(rids[3])), RID_CAMPAIGN_MAX);
    assert_true(chunk_rid(rid_chunk(rids[4]), 3) == rids[4]);
}

static void forged_identities_are_refused(void **state) {
    (void)state;
    char text[RID_TEXT_LEN], forged[RID_TEXT_LEN];
    uint32_t tenant;
    uint64_t rid;
    rid_encode(&key_a, 7, rid_make(5, 6, 7), text);
    struct buf packed, again;
    buf_init(&packed, 64), buf_init(&again, 64);
    assert_true(codec_unbase32(&packed, slice_make(text, sizeof text)));
    assert_int_equal(packed.len, 23);
    for (size_t bit = 0; bit < packed.len * 8; bit++) {
        packed.at[bit / 8] = (char)(packed.at[bit / 8] ^ 1 << bit % 8);
        buf_reset(&again);
        codec_base32(&again, buf_slice(&packed));
        assert_false(decodes(&key_a, 1, again.at, 0, 0));
        packed.at[bit / 8] = (char)(packed.at[bit / 8] ^ 1 << bit % 8);
    }
    buf_done(&packed), buf_done(&again);
    for (size_t i = 0; i < RID_TEXT_LEN; i++) /* every character by every byte */
        for (int c = 0; c < 256; c++) {
            memcpy(forged, text, sizeof text);
            forged[i] = (char)c;
            assert_int_equal(rid_decode(&key_a, 1, slice_make(forged, sizeof forged), &tenant, &rid),
                             ascii_lower((char)c) == text[i]);
        }
    for (size_t n = 0; n < RID_TEXT_LEN; n++)
        assert_false(rid_decode(&key_a, 1, slice_make(text, n), &tenant, &rid));
    assert_false(rid_decode(&key_a, 1, (struct slice){0}, &tenant, &rid));
}

/* ---- slots ---- */

static void slots_are_sets(void **state) {
    (void)state;
    for (unsigned count = 0; count <= 256; count++) {
        struct slots s = slots_first(count);
        assert_int_equal(slots_count(&s), count);
        int next = slots_next(&s, 0);
        for (unsigned i = 0; i < count; i++, next = slots_next(&s, (unsigned)next + 1))
            assert_int_equal(next, (int)i);
        assert_int_equal(next, -1);
    }
    for (unsigned a = 0; a < 256; a++) {
        struct slots s = slots_one(a);
        assert_true(slots_count(&s) == 1 && slots_has(&s, a) && slots_next(&s, 0) == (int)a);
        assert_int_equal(slots_next(&s, a + 1), -1);
        slots_add(&s, 255 - a);
        slots_drop(&s, a);
        assert_true(slots_count(&s) == 1 && slots_has(&s, 255 - a) && !slots_has(&s, a));
    }
    struct slots all = slots_first(256);
    assert_int_equal(slots_next(&all, 256), -1);
}

/* ---- events ---- */

static void assert_same(const struct event *a, const struct event *b) {
    assert_int_equal(a->kind, b->kind);
    assert_true(a->at / US_PER_MS == b->at / US_PER_MS && a->due / US_PER_MS == b->due / US_PER_MS);
    assert_true(a->chunk == b->chunk && memcmp(&a->slots, &b->slots, sizeof a->slots) == 0);
    assert_true(a->stage == b->stage && a->class == b->class && a->code == b->code &&
                a->attempt == b->attempt);
    assert_true(a->doubt == b->doubt && memcmp(a->enhanced, b->enhanced, sizeof a->enhanced) == 0);
    assert_true(slice_eq(a->provider, b->provider) && slice_eq(a->host, b->host));
    assert_true(slice_eq(a->text, b->text) && slice_eq(a->detail, b->detail));
}

/* Bit by bit what may be there: each flag with each. */
static struct event event_of(enum event_kind kind, unsigned what, unsigned slots, wall_us base) {
    struct event e = {
        .kind = kind, .at = base + (int64_t)what * 12345 - 20000, .chunk = (uint64_t)what << 48 | 77};
    for (unsigned i = 0; i < slots; i++)
        slots_add(&e.slots, (i * 37 + what) % 256);
    if (what & 1) e.stage = 3, e.class = 200, e.code = 550, e.attempt = 65535;
    if (what & 2) e.enhanced[0] = 5, e.enhanced[1] = 1, e.enhanced[2] = 65535, e.code = 1;
    if (what & 4) e.due = base + 3600 * US_PER_SEC;
    if (what & 8) e.doubt = true;
    if (what & 16) e.provider = SLICE("google"), e.host = SLICE("mx1.example.com [192.0.2.1]");
    if (what & 32) e.text = SLICE("550 5.1.1 user unknown \xc3\xa9 \0 x");
    if (what & 64) e.detail = SLICE("a row \0 of bytes");
    return e;
}

static void events_come_back(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    const wall_us bases[] = {0, INT64_C(1700000000123000), -INT64_C(5000000)};
    const unsigned sizes[] = {0, 1, 8, 9, 255, 256};
    for (int kind = EVENT_ACCEPTED; kind <= EVENT_CAMPAIGN; kind++)
        for (unsigned what = 0; what < 128; what++)
            for (size_t k = 0; k < 18; k++) {
                struct event e = event_of((enum event_kind)kind, what, sizes[k % 6], bases[k / 6]), back;
                buf_reset(&out);
                assert_true(event_encode(&out, &e, bases[k / 6]));
                struct slice rest = buf_slice(&out);
                assert_true(event_decode(&rest, bases[k / 6], &back) && rest.len == 0);
                assert_same(&e, &back);
                for (size_t n = 0; n < out.len && k == 4; n++) { /* every prefix is refused */
                    rest = slice_make(out.at, n);
                    assert_false(event_decode(&rest, bases[k / 6], &back));
                }
            }
    buf_done(&out);
    assert_string_equal(event_name(EVENT_CAMPAIGN), "campaign");
    assert_string_equal(event_name(EVENT_NOTE), "note");
    assert_string_equal(event_name((enum event_kind)99), "?");
    assert_true(event_is_final(EVENT_EXPIRED) && event_is_final(EVENT_DELIVERED) &&
                event_is_final(EVENT_FAILED));
    assert_false(event_is_final(EVENT_UNCERTAIN) || event_is_final(EVENT_CLOSED) ||
                 event_is_final(EVENT_LEASED));
}

static void long_words_are_cut(void **state) {
    (void)state;
    static const struct {
        char fill[4];
        size_t want;
    } cases[] = {
        {"a", 480}, {"\xc3\xa9", 480}, {"\xe3\x83\x86", 480}, {"\xf0\x9f\x98\x80", 480}, {"\x80", 480}};
    struct buf out;
    buf_init(&out, 4096);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t shift = 0; shift < 4; shift++) {
            char text[900];
            size_t n = strnlen(cases[c].fill, 4), len = 0;
            for (; len < shift; len++)
                text[len] = '.';
            while (len + n <= sizeof text)
                memcpy(text + len, cases[c].fill, n), len += n;
            struct event e = {.kind = EVENT_FAILED, .text = slice_make(text, len)}, back;
            buf_reset(&out);
            assert_true(event_encode(&out, &e, 0));
            struct slice rest = buf_slice(&out);
            assert_true(event_decode(&rest, 0, &back));
            assert_true(back.text.len <= EVENT_TEXT_MAX && back.text.len > EVENT_TEXT_MAX - n);
            assert_true(n == 1 || codec_utf8_valid(back.text));
        }
    buf_done(&out);
}

static void wrong_events_are_refused(void **state) {
    (void)state;
    const struct slice cases[] = {
        SLICE("\0\0\0\0\0"),                                     /* no kind */
        SLICE("\x0e\0\0\0\0"),                                   /* an unknown kind */
        SLICE("\x01\x10\0\0\0"),                                 /* an unknown flag */
        SLICE("\x01\0\0\0\x09"),                                 /* nine listed slots */
        SLICE("\x01\0\0\0\x02\x01\x01"),                         /* one twice */
        SLICE("\x01\0\0\x80\x80\x80\x80\x80\x80\x80\x80\x01\0"), /* a chunk past 56 bits */
        SLICE("\x04\x01\0\0\0\0\0\0\0\x80\x80\x04\0\0\0\0\0\0"), /* an enhanced code past 16 bits */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice rest = cases[i];
        struct event e;
        assert_false(event_decode(&rest, 0, &e));
    }
    struct slice good = SLICE("\x01\0\0\0\0");
    struct event e;
    assert_true(event_decode(&good, 0, &e));
}

/* ---- blocks ---- */

static void seal(struct buf *out, size_t events, bool noise) {
    struct event_block b;
    event_block_init(&b);
    for (size_t i = 0; i < events; i++) {
        uint64_t bytes[40];
        for (size_t k = 0; k < 40; k++)
            bytes[k] = noise ? hash_mix(i * 40 + k) : 0x6161616161616161;
        struct event e = {
            .kind = EVENT_DELIVERED, .at = INT64_C(1700000000000000) + (int64_t)i * 1000, .chunk = i};
        e.slots = slots_one(i % 256), e.code = 250, e.text = slice_make(bytes, sizeof bytes);
        assert_true(event_block_add(&b, &e));
    }
    buf_reset(out);
    assert_true(event_block_seal(&b, out));
    event_block_done(&b);
}

static int count_events(struct slice stored, struct buf *scratch) {
    struct event_reader r;
    struct event e;
    struct err err = {0};
    int got, n = 0;
    if (event_reader_init(&r, stored, scratch, &err)) {
        assert_int_equal(err.kind, ERR_CORRUPT);
        return -1;
    }
    while ((got = event_reader_next(&r, &e, &err)) == 1) {
        assert_true(e.chunk == (uint64_t)n && e.code == 250 && e.text.len == 320);
        assert_true(e.at == INT64_C(1700000000000000) + n * 1000);
        n++;
    }
    if (got < 0) assert_int_equal(err.kind, ERR_CORRUPT);
    return got < 0 ? -1 : n;
}

static void blocks_come_back_or_are_corrupt(void **state) {
    (void)state;
    struct buf out, scratch;
    buf_init(&out, 1 << 20), buf_init(&scratch, EVENT_BLOCK_MAX);
    static const struct {
        size_t events;
        bool noise;
        size_t least, most;
    } cases[] = {{0, false, 27, 27}, {1, false, 300, 400}, {8, false, 40, 300}, {8, true, 2560, 3000}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        seal(&out, cases[c].events, cases[c].noise);
        assert_true(out.len >= cases[c].least && out.len <= cases[c].most);
        assert_int_equal(count_events(buf_slice(&out), &scratch), (int)cases[c].events);
        for (size_t i = 0; i < out.len; i++)
            for (int bit = 0; bit < 8; bit++) {
                out.at[i] = (char)(out.at[i] ^ 1 << bit);
                assert_int_equal(count_events(buf_slice(&out), &scratch), -1);
                out.at[i] = (char)(out.at[i] ^ 1 << bit);
            }
        for (size_t n = 0; n < out.len; n++)
            assert_int_equal(count_events(slice_make(out.at, n), &scratch), -1);
        buf_put_c(&out, 0);
        assert_int_equal(count_events(buf_slice(&out), &scratch), -1);
    }
    buf_done(&out), buf_done(&scratch);
}

static void a_full_block_refuses_and_stays_whole(void **state) {
    (void)state;
    struct event_block b;
    event_block_init(&b);
    char *large = calloc(1, 1 << 20);
    struct event e = {.kind = EVENT_CAMPAIGN, .at = 5000000, .detail = slice_make(large, 1 << 20)},
                 small = {.kind = EVENT_CLOSED, .at = 5000000};
    unsigned n = 0;
    while (event_block_add(&b, &e))
        n++;
    assert_true(n == 3 && b.count == 3);
    assert_true(event_block_add(&b, &small));
    struct buf out, scratch;
    buf_init(&out, 8 << 20), buf_init(&scratch, EVENT_BLOCK_MAX);
    assert_true(event_block_seal(&b, &out) && out.len < 10000);
    struct event_reader r;
    assert_int_equal(event_reader_init(&r, buf_slice(&out), &scratch, NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(event_reader_next(&r, &e, NULL), 1);
    assert_int_equal(event_reader_next(&r, &e, NULL), 0);
    buf_done(&out), buf_done(&scratch);
    buf_init(&out, 20); /* no room for it */
    assert_false(event_block_seal(&b, &out));
    buf_done(&out);
    event_block_reset(&b);
    assert_true(b.count == 0 && b.bytes.len == 0);
    event_block_done(&b);
    free(large);
}

int main(void) {
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_come_back),
        cmocka_unit_test(forged_identities_are_refused),
        cmocka_unit_test(slots_are_sets),
        cmocka_unit_test(events_come_back),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(wrong_events_are_refused),
        cmocka_unit_test(blocks_come_back_or_are_corrupt),
        cmocka_unit_test(a_full_block_refuses_and_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
