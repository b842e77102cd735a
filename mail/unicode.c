/* The only place that knows libunistring. */
#include "unicode.h"

#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

static const char *unfit(ucs4_t c) {
    if (c < 0x80) return NULL;
    if (c >= 0xff01 && c <= 0xff5e) return "a full-width character where a plain one belongs";
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc)) return "a control character";
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Z)) return "a blank";
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cf)) return "an invisible character";
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_C))
        return "a character that Unicode does not define";
    return NULL;
}

const char *unicode_unfit(struct slice text, size_t *at) {
    for (size_t i = 0; i < text.len;) {
        ucs4_t c;
        int n = u8_mbtoucr(&c, (const uint8_t *)text.at + i, text.len - i);
        *at = i;
        const char *what = n > 0 ? unfit(c) : "not UTF-8";
        if (what) return what;
        i += (size_t)n;
    }
    return NULL;
}

int unicode_nfc(struct slice text, char *out, size_t room) {
    size_t n = room;
    uint8_t *made = u8_normalize(UNINORM_NFC, (const uint8_t *)text.at, text.len, (uint8_t *)out, &n);
    if (made && made != (uint8_t *)out) {
        free(made);
        return -1;
    }
    return made ? (int)n : -1;
}
