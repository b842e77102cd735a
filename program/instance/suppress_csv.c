/* Cells to rows and back. */
#include "suppress_csv.h"

#include "classify.h"
#include "codec.h"
#include "csv.h"

#include <stdio.h>

static const char *const names[SUPPRESS_COLUMNS] = {"address",  "reason",   "since", "source",
                                                    "note",     "failures", "class", "code",
                                                    "enhanced", "host",     "text",  "rid"};

/* ---- writing ---- */

static bool is_formula(struct slice s) {
    while (s.len && s.at[0] == '\'')
        s = slice_skip(s, 1);
    return s.len && memchr("=+-@\t", s.at[0], 5);
}

/* RFC 4180, in quotes where they are needed. */
static void put_cell(struct buf *out, struct slice s) {
    bool quoted = false, formula = is_formula(s);
    for (size_t i = 0; i < s.len && !quoted; i++)
        quoted = memchr(",\"\r\n", s.at[i], 4) != NULL;
    if (s.len && (ascii_space(s.at[0]) || ascii_space(s.at[s.len - 1]))) quoted = true;
    if (quoted) buf_put_c(out, '"');
    if (formula) buf_put_c(out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"') buf_put_c(out, '"');
        buf_put_c(out, s.at[i]);
    }
    if (quoted) buf_put_c(out, '"');
}

void suppress_csv_head(struct buf *out) {
    for (int i = 0; i < SUPPRESS_COLUMNS; i++)
        buf_printf(out, "%s%s", i ? "," : "", names[i]);
    buf_put_text(out, "\r\n");
}

static void put_proof(struct buf *out, const struct suppress_proof *p) {
    if (p->class) buf_put_text(out, classify_name(p->class));
    buf_put_c(out, ',');
    if (p->code) buf_put_u64(out, p->code);
    buf_put_c(out, ',');
    if (p->enhanced[0]) buf_printf(out, "%u.%u.%u", p->enhanced[0], p->enhanced[1], p->enhanced[2]);
    buf_put_c(out, ',');
    put_cell(out, p->host);
    buf_put_c(out, ',');
    put_cell(out, p->text);
    buf_put_c(out, ',');
    if (p->rid) buf_put_u64(out, p->rid);
}

void suppress_csv_put(struct buf *out, struct slice address, const struct suppress_row *row) {
    char since[CLOCK_TEXT_MAX];
    int n = clock_rfc3339(row->at, since);
    put_cell(out, address);
    buf_printf(out, ",%s,%.*s,%s,", suppress_reason_name(row->reason), n, since,
               suppress_source_name(row->source));
    put_cell(out, row->note);
    buf_put_c(out, ',');
    if (row->failures) buf_put_u64(out, row->failures);
    buf_put_c(out, ',');
    put_proof(out, &row->proof);
    buf_put_text(out, "\r\n");
}

/* ---- reading ---- */

void suppress_csv_columns(const struct slice *found, size_t count, ptrdiff_t address,
                          struct suppress_columns *columns) {
    /* What others call the time. */
    static const char *const times[] = {"since",      "time", "last_update_time", "LastUpdateTime", "created",
                                        "created_at", "date"};
    for (int i = 0; i < SUPPRESS_COLUMNS; i++)
        columns->at[i] = csv_find_column(found, count, slice_of(names[i]));
    columns->at[COLUMN_ADDRESS] = address;
    for (size_t i = 0; i < sizeof times / sizeof *times && columns->at[COLUMN_SINCE] < 0; i++)
        columns->at[COLUMN_SINCE] = csv_find_column(found, count, slice_of(times[i]));
}

static struct slice cell(const struct suppress_columns *columns, const struct slice *fields,
                         enum suppress_column column) {
    if (columns->at[column] < 0) return (struct slice){0};
    struct slice s = fields[columns->at[column]];
    return s.len && s.at[0] == '\'' && is_formula(s) ? slice_skip(s, 1) : s;
}

static bool take_digits(struct slice *s, size_t count, unsigned *value) {
    *value = 0;
    if (s->len < count) return false;
    for (size_t i = 0; i < count; i++) {
        if (!ascii_digit(s->at[i])) return false;
        *value = *value * 10 + (unsigned)(s->at[i] - '0');
    }
    *s = slice_skip(*s, count);
    return true;
}

static bool take_char(struct slice *s, const char *of) {
    if (s->len == 0 || !strchr(of, s->at[0]) || s->at[0] == 0) return false;
    *s = slice_skip(*s, 1);
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(unsigned year, unsigned month, unsigned day) {
    int64_t y = (int64_t)year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static unsigned month_length(unsigned year, unsigned month) {
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : lengths[month - 1];
}

static bool take_fraction(struct slice *s, int64_t *us) {
    int64_t unit = US_PER_SEC / 10;
    *us = 0;
    if (!take_char(s, ".,")) return true;
    size_t digits = 0;
    for (; s->len && ascii_digit(s->at[0]); *s = slice_skip(*s, 1), digits++, unit /= 10)
        *us += (s->at[0] - '0') * unit;
    return digits > 0;
}

static bool take_offset(struct slice *s, int64_t *us) {
    unsigned hours, minutes;
    *us = 0;
    if (s->len == 0 || take_char(s, "Zz")) return true;
    bool west = s->at[0] == '-';
    if (!take_char(s, "+-") || !take_digits(s, 2, &hours) || hours > 23) return false;
    take_char(s, ":");
    if (!take_digits(s, 2, &minutes) || minutes > 59) return false;
    *us = (int64_t)(hours * 60 + minutes) * 60 * US_PER_SEC * (west ? -1 : 1);
    return true;
}

bool suppress_csv_time(struct slice s, wall_us *at) {
    unsigned year, month, day, hour = 0, minute = 0, second = 0;
    int64_t fraction = 0, offset = 0;
    uint64_t seconds;
    s = slice_trim(s);
    if (slice_to_u64(s, &seconds) && seconds > 0 && seconds < UINT64_C(1) << 38) {
        *at = (wall_us)seconds * US_PER_SEC;
        return true;
    }
    if (!take_digits(&s, 4, &year) || !take_char(&s, "-") || !take_digits(&s, 2, &month) ||
        !take_char(&s, "-") || !take_digits(&s, 2, &day) || year < 1970 || month < 1 || month > 12 ||
        day < 1 || day > month_length(year, month))
        return false;
    if (s.len &&
        (!take_char(&s, "Tt ") || !take_digits(&s, 2, &hour) || !take_char(&s, ":") ||
         !take_digits(&s, 2, &minute) || !take_char(&s, ":") || !take_digits(&s, 2, &second) || hour > 23 ||
         minute > 59 || second > 60 || !take_fraction(&s, &fraction) || !take_offset(&s, &offset) || s.len))
        return false;
    int64_t of_day = ((int64_t)hour * 60 + minute) * 60 + second;
    *at = (days_of(year, month, day) * 86400 + of_day) * US_PER_SEC + fraction - offset;
    return *at > 0;
}

/* Shown on terminals and written as CSV and JSON. */
static bool is_line(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f) return false;
    return codec_utf8_valid(s);
}

int suppress_csv_note(struct slice note, struct err *err) {
    if (note.len > SUPPRESS_NOTE_MAX)
        return err_set(err, ERR_INPUT, "the note is longer than %d bytes", SUPPRESS_NOTE_MAX);
    if (!is_line(note)) return err_set(err, ERR_INPUT, "the note is not text on one line");
    return 0;
}

static int bad(struct err *err, enum suppress_column column, struct slice cell, const char *expected) {
    return err_set(err, ERR_INPUT, "%s '%.*s': expected %s", names[column],
                   cell.len > 60 ? 60 : (int)cell.len, cell.at, expected);
}

static bool take_number(struct slice s, uint64_t most, uint64_t *value) {
    *value = 0;
    return s.len == 0 || (slice_to_u64(s, value) && *value <= most);
}

static bool take_enhanced(struct slice s, uint16_t enhanced[3]) {
    struct slice part;
    uint64_t value;
    if (s.len == 0) return true;
    for (int i = 0; i < 3; i++) {
        if (!slice_cut(&s, '.', &part) || !slice_to_u64(part, &value) || value > 999) return false;
        enhanced[i] = (uint16_t)value;
    }
    return s.at == NULL && enhanced[0] > 0;
}

static int take_proof(const struct suppress_columns *c, const struct slice *fields, struct suppress_proof *p,
                      struct err *err) {
    struct slice class = cell(c, fields, COLUMN_CLASS), code = cell(c, fields, COLUMN_CODE),
                 enhanced = cell(c, fields, COLUMN_ENHANCED), rid = cell(c, fields, COLUMN_RID);
    uint64_t number;
    p->host = cell(c, fields, COLUMN_HOST);
    p->text = cell(c, fields, COLUMN_TEXT);
    if (class.len && !(p->class = (uint8_t)classify_by_name(class)))
        return bad(err, COLUMN_CLASS, class, "the name of a class");
    if (!take_number(code, 999, &number)) return bad(err, COLUMN_CODE, code, "an SMTP code");
    p->code = (uint16_t)number;
    if (!take_enhanced(enhanced, p->enhanced))
        return bad(err, COLUMN_ENHANCED, enhanced, "a code such as 5.1.1");
    if (!take_number(rid, UINT64_MAX, &p->rid)) return bad(err, COLUMN_RID, rid, "a number");
    if (!is_line(p->host)) return bad(err, COLUMN_HOST, SLICE("..."), "text on one line");
    if (!is_line(p->text)) return bad(err, COLUMN_TEXT, SLICE("..."), "text on one line");
    return 0;
}

static int take_reason(const struct suppress_columns *c, const struct slice *fields, struct suppress_row *row,
                       struct err *err) {
    struct slice reason = slice_trim(cell(c, fields, COLUMN_REASON)), note = cell(c, fields, COLUMN_NOTE);
    row->reason = c->reason;
    if (reason.len && suppress_reason_by_name(reason))
        row->reason = suppress_reason_by_name(reason);
    else if (reason.len && c->reason && !note.len && is_line(reason))
        note = reason.len > SUPPRESS_NOTE_MAX ? slice_make(reason.at, SUPPRESS_NOTE_MAX) : reason;
    else if (reason.len && !c->reason)
        return bad(err, COLUMN_REASON, reason, "bounce, complaint, unsubscribe or manual (or give --reason)");
    if (note.len) row->note = note;
    return suppress_csv_note(note, err);
}

int suppress_csv_take(const struct suppress_columns *c, const struct slice *fields, struct arena *arena,
                      struct address *address, struct suppress_row *row, struct err *err) {
    struct slice since = cell(c, fields, COLUMN_SINCE), source = cell(c, fields, COLUMN_SOURCE),
                 failures = cell(c, fields, COLUMN_FAILURES);
    uint64_t number;
    *row = (struct suppress_row){0};
    if (address_parse(slice_trim(cell(c, fields, COLUMN_ADDRESS)), arena, address, err)) return -1;
    if (take_reason(c, fields, row, err) || take_proof(c, fields, &row->proof, err)) return -1;
    if (since.len && !suppress_csv_time(since, &row->at))
        return bad(err, COLUMN_SINCE, since, "a time such as 2026-11-25T15:42:02Z");
    row->source = suppress_source_by_name(source);
    if (!take_number(failures, UINT8_MAX, &number)) return bad(err, COLUMN_FAILURES, failures, "a number");
    row->failures = (uint8_t)number;
    return 0;
}
