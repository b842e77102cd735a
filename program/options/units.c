/* Numbers with units. Nothing here asks the locale. */
#include "units.h"

enum {
    DIGITS_MAX = 15
}; /* of a number as written: with any unit it stays far from overflow after the checks */

static bool take_digits(struct slice *s, int64_t *value) {
    size_t n = 0;
    int64_t v = 0;
    while (n < s->len && ascii_digit(s->at[n])) {
        if (n == DIGITS_MAX) return false;
        v = v * 10 + (s->at[n++] - '0');
    }
    *s = slice_skip(*s, n);
    *value = v;
    return n > 0;
}

bool units_int(struct slice text, int64_t *value) {
    bool minus = text.len > 0 && text.at[0] == '-';
    if (minus) text = slice_skip(text, 1);
    if (!take_digits(&text, value) || text.len) return false;
    if (minus) *value = -*value;
    return true;
}

bool units_size(struct slice text, int64_t *bytes) {
    static const char letters[] = "kmgt";
    if (!take_digits(&text, bytes)) return false;
    if (text.len == 0) return true;
    const char *letter = memchr(letters, ascii_lower(text.at[0]), 4);
    if (text.len != 1 || !letter) return false;
    int shift = 10 * (int)(letter - letters + 1);
    if (*bytes > INT64_MAX >> shift) return false;
    *bytes <<= shift;
    return true;
}

static const struct {
    const char *name;
    int64_t us;
} duration_units[] = {{"d", 86400 * US_PER_SEC},
                      {"h", 3600 * US_PER_SEC},
                      {"m", 60 * US_PER_SEC},
                      {"s", US_PER_SEC},
                      {"ms", US_PER_MS}};
enum { DURATION_UNITS = sizeof duration_units / sizeof duration_units[0] };

/* The unit that *s opens with, at or below `from`; -1 for none. Units are whole words: "m" is not "ms". */
static int take_unit(struct slice *s, int from) {
    size_t n = 0;
    while (n < s->len && ascii_alpha(s->at[n]))
        n++;
    for (int i = from; i < DURATION_UNITS; i++)
        if (slice_eq_nocase(slice_make(s->at, n), slice_of(duration_units[i].name))) {
            *s = slice_skip(*s, n);
            return i;
        }
    return -1;
}

bool units_duration(struct slice text, int64_t *us) {
    *us = 0;
    for (int from = 0; from == 0 || text.len;) {
        int64_t value;
        if (!take_digits(&text, &value)) return false;
        int unit = take_unit(&text, from);
        if (unit < 0 || value > (INT64_MAX - *us) / duration_units[unit].us) return false;
        *us += value * duration_units[unit].us;
        from = unit + 1;
    }
    return true;
}

/* Exactly n digits and the separator behind them (0: none). */
static bool take_fixed(struct slice *s, size_t n, char separator, int64_t *value) {
    struct slice digits = slice_make(s->at, n);
    if (s->len < n + (separator != 0) || (separator && ascii_lower(s->at[n]) != separator)) return false;
    if (!take_digits(&digits, value) || digits.len) return false;
    *s = slice_skip(*s, n + (separator != 0));
    return true;
}

/* Days since 1970-01-01; false for a date that no calendar has. */
static bool days_of(int64_t year, int64_t month, int64_t day, int64_t *days) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    if (year < 1970 || month < 1 || month > 12) return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int length = before[month] - before[month - 1] + (month == 2 && leap);
    if (day < 1 || day > length) return false;
    int64_t y = year - 1; /* whole years, with the leap days in them */
    *days = (year - 1970) * 365 + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
    *days += before[month - 1] + (month > 2 && leap) + day - 1;
    return true;
}

static bool take_fraction(struct slice *s, int64_t *us) {
    *us = 0;
    if (s->len == 0 || s->at[0] != '.') return true;
    size_t n = 1;
    for (int64_t unit = US_PER_SEC / 10; n < s->len && ascii_digit(s->at[n]); n++, unit /= 10)
        *us += unit * (s->at[n] - '0');
    *s = slice_skip(*s, n);
    return n > 1;
}

/* "Z", "+09:00"; seconds that local time is ahead of UTC. */
static bool take_zone(struct slice s, int64_t *ahead) {
    int64_t hours, minutes;
    *ahead = 0;
    if (s.len == 1) return ascii_lower(s.at[0]) == 'z';
    if (s.len != 6 || (s.at[0] != '+' && s.at[0] != '-')) return false;
    struct slice rest = slice_skip(s, 1);
    if (!take_fixed(&rest, 2, ':', &hours) || !take_fixed(&rest, 2, 0, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ahead = (hours * 60 + minutes) * (s.at[0] == '-' ? -60 : 60);
    return true;
}

bool units_time(struct slice text, wall_us *t) {
    int64_t year, month, day, days, hour, minute, second, us, ahead;
    if (!take_fixed(&text, 4, '-', &year) || !take_fixed(&text, 2, '-', &month) ||
        !take_fixed(&text, 2, 0, &day) || !days_of(year, month, day, &days))
        return false;
    *t = days * 86400 * US_PER_SEC;
    if (text.len == 0) return *t > 0;
    if (ascii_lower(text.at[0]) != 't' && text.at[0] != ' ') return false;
    text = slice_skip(text, 1);
    if (!take_fixed(&text, 2, ':', &hour) || !take_fixed(&text, 2, ':', &minute) ||
        !take_fixed(&text, 2, 0, &second) || !take_fraction(&text, &us) || !take_zone(text, &ahead))
        return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    *t += ((hour * 60 + minute) * 60 + second - ahead) * US_PER_SEC + us;
    return *t > 0;
}

bool units_number(struct slice text, double *value) {
    int64_t whole = 0, part = 0;
    if (!take_digits(&text, &whole)) return false;
    *value = (double)whole;
    if (text.len == 0) return true;
    struct slice digits = slice_skip(text, 1), rest = digits;
    if (text.at[0] != '.' || !take_digits(&rest, &part) || rest.len) return false;
    double scale = 1;
    for (size_t i = 0; i < digits.len; i++)
        scale *= 10;
    *value += (double)part / scale;
    return true;
}

bool units_mode(struct slice text, int64_t *mode) {
    *mode = 0;
    if (text.len == 0 || text.len > 5) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '7') return false;
        *mode = *mode * 8 + (text.at[i] - '0');
    }
    return *mode <= 07777;
}

void units_put_size(struct buf *out, int64_t bytes) {
    static const char letters[] = "kmgt";
    int unit = -1;
    while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    buf_put_u64(out, (uint64_t)bytes);
    if (unit >= 0) buf_put_c(out, letters[unit]);
}

void units_put_duration(struct buf *out, int64_t us) {
    if (us < US_PER_MS) {
        buf_put_text(out, "0s");
        return;
    }
    for (int i = 0; i < DURATION_UNITS; i++) {
        int64_t n = us / duration_units[i].us;
        if (n == 0) continue;
        buf_put_u64(out, (uint64_t)n);
        buf_put_text(out, duration_units[i].name);
        us -= n * duration_units[i].us;
    }
}

void units_put_time(struct buf *out, wall_us t) {
    char text[CLOCK_TEXT_MAX];
    clock_rfc3339(t, text);
    buf_put(out, text, sizeof "2026-07-01T00:00:00" - 1);
    if (t % US_PER_SEC) buf_printf(out, ".%06d", (int)(t % US_PER_SEC));
    buf_put_c(out, 'Z');
}

void units_put_number(struct buf *out, double value) {
    uint64_t millionths = (uint64_t)(value * 1e6 + 0.5);
    buf_put_u64(out, millionths / 1000000);
    uint64_t part = millionths % 1000000;
    if (part == 0) return;
    int digits = 6;
    for (; part % 10 == 0; digits--)
        part /= 10;
    buf_printf(out, ".%0*llu", digits, (unsigned long long)part);
}

void units_put_grouped(struct buf *out, uint64_t value) {
    char text[32];
    size_t n = 0;
    do {
        if (n % 4 == 3) text[n++] = ',';
        text[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n)
        buf_put_c(out, text[--n]);
}

void units_put_left(struct buf *out, int64_t seconds) {
    if (seconds < 0) seconds = 0;
    if (seconds >= 86400)
        seconds -= seconds % 3600;
    else if (seconds >= 3600)
        seconds -= seconds % 60;
    units_put_duration(out, seconds * US_PER_SEC);
}
