/* Codes and times out of a reply's words, without more memory than the words themselves. */
#include "replytext.h"

#include "classify.h"

enum { DAY_S = 24 * 3600, TEXT_MOST = 1024 };

/* Digits at text.at[*i]: their value (at most `most` of them), or -1. */
static int number(struct slice text, size_t *i, unsigned most) {
    int value = 0;
    size_t start = *i;
    while (*i < text.len && ascii_digit(text.at[*i]) && *i - start < most)
        value = value * 10 + (text.at[(*i)++] - '0');
    return *i == start || (*i < text.len && ascii_digit(text.at[*i])) ? -1 : value;
}

static bool enhanced_at(struct slice text, size_t i, uint16_t out[3]) {
    for (int part = 0; part < 3; part++) {
        int value = number(text, &i, part ? 3 : 1);
        if (value < 0) return false;
        out[part] = (uint16_t)value;
        if (part < 2 && (i == text.len || text.at[i++] != '.')) return false;
    }
    if (i == text.len) return true;
    if (ascii_alpha(text.at[i])) return false;
    return !(text.at[i] == '.' && i + 1 < text.len && ascii_digit(text.at[i + 1]));
}

bool replytext_enhanced(struct slice text, int class, uint16_t enhanced[3]) {
    if (text.len > TEXT_MOST) text.len = TEXT_MOST;
    for (size_t i = 0; i + 5 <= text.len; i++) {
        char c = text.at[i];
        if (text.at[i + 1] != '.' || (c != '4' && c != '5') || (class && c != '0' + class)) continue;
        char before = i ? text.at[i - 1] : ' ';
        if (ascii_digit(before) || ascii_alpha(before) || before == '.' || before == '_') continue;
        if (enhanced_at(text, i, enhanced)) return true;
    }
    enhanced[0] = enhanced[1] = enhanced[2] = 0;
    return false;
}

/* ---- the wait ---- */

static const struct {
    const char *word;
    unsigned seconds;
} units[] = {
    {"s", 1},        {"sec", 1},      {"secs", 1},      {"second", 1},     {"seconds", 1},  {"sekunden", 1},
    {"secondes", 1}, {"segundos", 1}, {"секунд", 1},    {"секунды", 1},    {"秒", 1},       {"m", 60},
    {"min", 60},     {"mins", 60},    {"minute", 60},   {"minutes", 60},   {"minuten", 60}, {"minutos", 60},
    {"минут", 60},   {"минуты", 60},  {"分", 60},       {"h", 3600},       {"hr", 3600},    {"hrs", 3600},
    {"hour", 3600},  {"hours", 3600}, {"stunde", 3600}, {"stunden", 3600}, {"heure", 3600}, {"heures", 3600},
    {"hora", 3600},  {"horas", 3600}, {"час", 3600},    {"часа", 3600},    {"часов", 3600}, {"時間", 3600},
    {"小时", 3600},  {"小時", 3600},
};

static unsigned unit_at(struct slice text) {
    while (text.len && (text.at[0] == ' ' || text.at[0] == '-'))
        text = slice_skip(text, 1);
    unsigned best = 0;
    size_t longest = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct slice word = slice_of(units[i].word);
        if (word.len <= longest || !slice_starts_nocase(text, word)) continue;
        char next = text.len > word.len ? text.at[word.len] : ' ';
        bool ends = (unsigned char)word.at[0] >= 0xE3 || !(ascii_alpha(next) || ascii_digit(next));
        if (ends) best = units[i].seconds, longest = word.len;
    }
    return best;
}

/* "00:04:52" or "04:52" at text.at[i]; 0 when it is none. A time of the day stands behind a date or has no
 * hours of zero: only those below an hour count without seconds. */
static uint32_t clock_at(struct slice text, size_t i) {
    int part[3], count = 0;
    while (count < 3) {
        int value = number(text, &i, 2);
        if (value < 0) return 0;
        part[count++] = value;
        if (i == text.len || text.at[i] != ':') break;
        i++;
    }
    if (count != 3 || part[0] > 5 || part[1] > 59 || part[2] > 59) return 0;
    return (uint32_t)(part[0] * 3600 + part[1] * 60 + part[2]);
}

uint32_t replytext_wait_s(struct slice text) {
    if (text.len > TEXT_MOST) text.len = TEXT_MOST;
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_digit(text.at[i])) continue;
        char before = i ? text.at[i - 1] : ' ';
        size_t end = i;
        bool dated =
            before == ' ' && i > 1 && (ascii_digit(text.at[i - 2]) || ascii_lower(text.at[i - 2]) == 't');
        bool stands_alone =
            before != '.' && before != ':' && before != '-' && before != '/' && !ascii_alpha(before);
        uint32_t clock = stands_alone && !dated ? clock_at(text, i) : 0; /* not the time of a day */
        if (clock) return clock;
        int value = number(text, &end, 6);
        uint64_t seconds = stands_alone && value > 0 ? (uint64_t)value * unit_at(slice_skip(text, end)) : 0;
        if (seconds && seconds <= DAY_S) return (uint32_t)seconds;
        while (end < text.len && ascii_digit(text.at[end]))
            end++;
        i = end - 1 > i ? end - 1 : i;
    }
    return 0;
}

/* ---- a reply as one text ---- */

static int code_at(struct slice text, size_t i) {
    size_t end = i;
    int code = number(text, &end, 3);
    if (end != i + 3 || code < 200 || code > 599) return 0;
    if (end == text.len || text.at[end] == ' ' || text.at[end] == '-' || text.at[end] == '\t') return code;
    return 0;
}

/* A code that stands in the words: "said: 550 5.1.1 ...", "smtp; 550-...". */
static int quoted_code(struct slice text) {
    if (text.len > TEXT_MOST) text.len = TEXT_MOST;
    for (size_t i = 0; i + 4 <= text.len; i++) {
        if (text.at[i] != '4' && text.at[i] != '5') continue;
        size_t back = i;
        while (back && ascii_space(text.at[back - 1]))
            back--;
        char before = back ? text.at[back - 1] : ':';
        int code = code_at(text, i);
        if (!code || (i && before != ':' && before != ';' && before != '>' && before != '<' &&
                      !(i == back + 1 && text.at[i + 3] == '-')))
            continue;
        return code;
    }
    return 0;
}

void classify_read(struct slice reply, struct classify_input *input) {
    reply = slice_trim(reply);
    input->code = code_at(reply, 0);
    if (!input->code && reply.len == 3) {
        uint64_t code;
        if (slice_to_u64(reply, &code) && code >= 200 && code <= 599) input->code = (int)code;
    }
    input->text = input->code ? slice_trim(slice_skip(reply, reply.len > 3 ? 4 : 3)) : reply;
    if (!input->code) input->code = quoted_code(reply);
    int class = input->code / 100;
    if (!replytext_enhanced(input->text, class == 4 || class == 5 ? class : 0, input->enhanced))
        replytext_enhanced(input->text, 0, input->enhanced);
}
