/* Header fields of a mail (RFC 5322 section 2.2): written so that no value can break out of its field, and
 * read one by one.
 *
 * Writers fold at 78 columns where there is a blank to fold at, and end with CRLF. What plain ASCII can't
 * carry exactly (other characters, controls, blanks at the ends, text that looks like an encoded word)
 * becomes RFC 2047 encoded words, in B or Q, whichever is shorter, cut between characters; in ISO-2022-JP in
 * B, each word beginning and ending in ASCII. */
#ifndef TSUBAME_HEADER_H
#define TSUBAME_HEADER_H

#include "charset.h"

/* Is this a field name (RFC 5322: printable ASCII without the colon; here also at most 64 bytes)? */
bool header_name_valid(struct slice name);

/* May this text stand in a header at all: no CR, LF or NUL, and UTF-8? */
bool header_value_safe(struct slice value);

enum header_words {
    HEADER_TEXT,  /* meant for people (Subject): a word too long for a line is encoded too */
    HEADER_TOKENS /* meant for programs (List-Id, X-...): words up to 900 bytes stay as they are */
};

/* "Name: value CRLF". value must be header_value_safe (else out->failed is set). */
void header_put_text(struct buf *out, struct slice name, struct slice value, enum header_words words);

/* The same with the character set of its encoded words. What the character set can't carry
 * (charset_fits) sets out->failed. */
void header_put_text_in(struct buf *out, struct slice name, struct slice value, enum header_words words,
                        enum charset c);

/* "Name: display <address> CRLF", or "Name: address CRLF" when display is empty. address is canonical (see
 * address.h); display must be header_value_safe. What can't be seen in display is left out (visible.h): it
 * would serve nobody but who wants to show another name than is there. */
void header_put_mailbox(struct buf *out, struct slice name, struct slice display, struct slice address);
void header_put_mailbox_in(struct buf *out, struct slice name, struct slice display, struct slice address,
                           enum charset c);

struct header_field {
    struct slice name;  /* without blanks before the colon */
    struct slice value; /* after the colon, folded as it is, without the last CRLF */
    struct slice whole; /* the field with its last CRLF */
};

/* Takes the next field off the front of *rest. False at the empty line that ends the header (which is then
 * taken off: *rest is the body), at the end, and at a line that is no field (*rest then starts with it).
 * Lines end in CRLF. */
bool header_next(struct slice *rest, struct header_field *field);

#endif
