/* Text outside ASCII in the local part of an address (RFC 6531, RFC 6532). */
#ifndef TSUBAME_UNICODE_H
#define TSUBAME_UNICODE_H

#include "slice.h"

/* What makes it unfit, or NULL: not UTF-8, a control, blank, invisible or bidi character, one that is not
 * assigned or private, a full-width form of an ASCII character. *at: index of the byte where. */
const char *unicode_unfit(struct slice text, size_t *at);

/* text (UTF-8) in Unicode's normal form C, so that the same name typed on two systems is the same bytes.
 * Returns its length, or -1 when it is longer than room. */
int unicode_nfc(struct slice text, char *out, size_t room);

#endif
