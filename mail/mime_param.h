/* Header fields with one parameter that people chose, such as a file's name (RFC 2045 section 5.1, RFC 2231).
 */
#ifndef TSUBAME_MIME_PARAM_H
#define TSUBAME_MIME_PARAM_H

#include "buf.h"

enum { MIME_PARAM_MAX = 255 }; /* bytes of a value: what file systems allow */

/* "Name: value; parameter=text CRLF", folded:
 *
 *     Content-Disposition: attachment; filename=report.pdf
 *     Content-Disposition: attachment; filename="the report.pdf"
 *     Content-Disposition: attachment;
 *      filename*=utf-8''R%C3%A9sum%C3%A9.pdf;
 *      filename="R_sum_.pdf"
 *
 * What a quoted string of printable ASCII does not carry safely is written in RFC 2231's form, over several
 * lines if it is long (name*0*=, name*1*=), and then once more as plain ASCII for readers who do not know
 * that form. That comes second: a reader who takes the first of two then takes the exact one. Without text
 * there is no parameter. What can't be seen is left out of text (visible.h).
 *
 * name and parameter are known here (name: header_name_valid; parameter: a token of at most 16 bytes), value
 * is a token or type/subtype of at most 255 bytes that an operator may have given. out->failed is set when
 * value is not that, or text is longer than MIME_PARAM_MAX, holds CR, LF or NUL or is not UTF-8: check with
 * mime_value_valid and mime_param_valid first to have an error with a place. */
void mime_put_field(struct buf *out, struct slice name, struct slice value, struct slice parameter,
                    struct slice text);

/* Is this a token, or two with a slash between (RFC 2045 section 5.1)? */
bool mime_value_valid(struct slice value);

bool mime_param_valid(struct slice text);

#endif
