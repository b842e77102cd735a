/* JSON into packed values. The only file of this folder that knows jansson. */
#include "value.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_ROOM = 64 };

static bool put_number(struct buf *out, struct slice text) {
    return buf_put_u8(out, VALUE_NUMBER) && buf_put_bytes(out, text);
}

/* The shortest digits that read back as the same number; *exponent: of the first digit. */
static size_t shortest_digits(double magnitude, char digits[NUMBER_ROOM], int *exponent) {
    char text[NUMBER_ROOM];
    size_t n = 0;
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, magnitude);
        if (strtod(text, NULL) == magnitude) break;
    }
    for (const char *at = text; *at && *at != 'e'; at++)
        if (ascii_digit(*at)) digits[n++] = *at;
    *exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    return n;
}

/* ECMA-262 section 6.1.6.1.20 (Number::toString): decimal from 1e-6 up to 1e21, else with an exponent. */
static bool put_real(struct buf *out, double value) {
    char digits[NUMBER_ROOM], room[NUMBER_ROOM * 2];
    int exponent;
    struct buf text;
    if (value == 0) return put_number(out, SLICE("0"));
    size_t n = shortest_digits(fabs(value), digits, &exponent);
    buf_init(&text, sizeof room);
    if (value < 0) buf_put_c(&text, '-');
    bool plain = exponent >= -6 && exponent < 21;
    int point = plain ? exponent + 1 : 1; /* digits before the decimal point */
    if (plain && exponent < 0) {
        buf_put_text(&text, "0.");
        for (int i = -1; i > exponent; i--)
            buf_put_c(&text, '0');
        buf_put(&text, digits, n);
    } else {
        for (int i = 0; i < point || i < (int)n; i++) {
            if (i == point) buf_put_c(&text, '.');
            buf_put_c(&text, i < (int)n ? digits[i] : '0');
        }
    }
    if (!plain) buf_printf(&text, "e%+d", exponent);
    bool ok = !text.failed && put_number(out, buf_slice(&text));
    buf_done(&text);
    return ok;
}

static bool put_integer(struct buf *out, json_int_t value) {
    char text[NUMBER_ROOM];
    int n = snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, value);
    return put_number(out, slice_make(text, (size_t)n));
}

static int put(struct buf *out, json_t *j, unsigned depth);

static int put_members(struct buf *inside, json_t *j, unsigned depth) {
    size_t index;
    const char *key;
    json_t *member;
    if (json_is_array(j)) {
        json_array_foreach(j, index, member) if (put(inside, member, depth)) return -1;
        return 0;
    }
    json_object_foreach(j, key, member) {
        buf_put_bytes(inside, slice_of(key));
        if (put(inside, member, depth)) return -1;
    }
    return 0;
}

static int put_container(struct buf *out, json_t *j, unsigned depth) {
    struct buf inside;
    bool list = json_is_array(j);
    buf_put_u8(out, list ? VALUE_LIST : VALUE_MAP);
    buf_put_varint(out, list ? json_array_size(j) : json_object_size(j));
    buf_init(&inside, out->max);
    int rc = put_members(&inside, j, depth + 1);
    if (inside.failed || !buf_put_bytes(out, buf_slice(&inside))) out->failed = true;
    buf_done(&inside);
    return rc;
}

/* -1: nested too deeply. */
static int put(struct buf *out, json_t *j, unsigned depth) {
    switch (json_typeof(j)) {
    case JSON_NULL: buf_put_u8(out, VALUE_NULL); return 0;
    case JSON_FALSE: buf_put_u8(out, VALUE_FALSE); return 0;
    case JSON_TRUE: buf_put_u8(out, VALUE_TRUE); return 0;
    case JSON_INTEGER: put_integer(out, json_integer_value(j)); return 0;
    case JSON_REAL: put_real(out, json_real_value(j)); return 0;
    case JSON_STRING: value_put_text(out, slice_make(json_string_value(j), json_string_length(j))); return 0;
    default: break;
    }
    return depth < VALUE_DEPTH_MAX ? put_container(out, j, depth) : -1;
}

static json_t *parse(struct slice json, json_error_t *why) {
    json_t *j = json_loadb(json.at ? json.at : "", json.len, JSON_DECODE_ANY, why);
    if (j || json_error_code(why) != json_error_numeric_overflow) return j;
    return json_loadb(json.at, json.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, why);
}

int value_put_json(struct slice json, struct buf *out, struct err *err) {
    json_error_t why;
    json_t *j = parse(json, &why);
    if (!j && json_error_code(&why) == json_error_out_of_memory) return err_set(err, ERR_SYSTEM, "no memory");
    if (!j) return err_set(err, ERR_INPUT, "JSON, line %d, column %d: %s", why.line, why.column, why.text);
    int rc = put(out, j, 0);
    json_decref(j);
    if (rc) return err_set(err, ERR_INPUT, "JSON: nested deeper than %d levels", VALUE_DEPTH_MAX);
    return out->failed ? err_set(err, ERR_INPUT, "the data is larger than %zu bytes", out->max) : 0;
}
