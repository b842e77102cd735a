#include "visible.h"

#include "codec.h"

enum { BLACK_FLAG = 0x1F3F4, TAG_FIRST = 0xE0000, TAG_LAST = 0xE007F };

static const struct {
    uint32_t first, last;
} hidden[] = {
    {0, 0x1F},        {0x7F, 0x9F},     {0xAD, 0xAD},     {0x34F, 0x34F},
    {0x61C, 0x61C},   {0x115F, 0x1160}, {0x180E, 0x180E}, {0x200B, 0x200B},
    {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
    {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB}, {TAG_FIRST, TAG_LAST},
};

static bool is_hidden(uint32_t code) {
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (code >= hidden[i].first && code <= hidden[i].last) return true;
    return false;
}

/* The character in front; what is not UTF-8 is taken a byte at a time. */
static uint32_t next(struct slice text, size_t *bytes) {
    const unsigned char *s = (const unsigned char *)text.at;
    *bytes = codec_utf8_next(text);
    if (*bytes <= 1) {
        *bytes = 1;
        return s[0] < 0x80 ? s[0] : 0xFFFD;
    }
    uint32_t code = s[0] & (0x7Fu >> *bytes);
    for (size_t i = 1; i < *bytes; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    return code;
}

/* Goes through text; copies what is seen if out is given. Returns whether something was hidden. */
static bool walk(struct slice text, struct buf *out) {
    bool found = false, flag = false;
    for (size_t bytes; text.len; text = slice_skip(text, bytes)) {
        uint32_t code = next(text, &bytes);
        bool tag = code > TAG_FIRST && code <= TAG_LAST;
        flag = code == BLACK_FLAG || (flag && tag); /* England, Scotland and Wales are spelt in tags */
        if (!is_hidden(code) || (flag && tag)) {
            if (out) buf_put(out, text.at, bytes);
            continue;
        }
        found = true;
        if (out && code == '\t') buf_put_c(out, ' ');
    }
    return found;
}

bool visible_all(struct slice text) {
    return !walk(text, NULL);
}

void visible_put(struct buf *out, struct slice text) {
    walk(text, out);
}
