/* The text that a mail's HTML says: for the part that is read where HTML is not.
 *
 * Paragraphs, headings, lists, quotations ("> "), preformatted text, tables of data (a row a line, cells with
 * " | " between) and tables of layout (their contents as blocks), "text <address>" for links, images by their
 * alt text. What HTML hides is not there: head, scripts, display:none and the like, text of size 0, fillers
 * without width. White space collapses as in CSS; lines are not wrapped. Lines end in LF.
 *
 * Templates. Before HTML is parsed, each of its tags is replaced by a token with a number below
 * 1,000,000,000. Tags that say the same should have the same number (then a link whose text is its address is
 * written once).
 *
 *     where                    token                        stands for
 *     text                     <!--tsubame:N-->             a value
 *     text                     <!--tsubame:N:open-->        what begins a block that may be left out or
 * repeated text                     <!--tsubame:N:else-->        its other branch text <!--tsubame:N:close-->
 * its end an attribute's value     HTML_TOKEN_OPEN N HTML_TOKEN_CLOSE (U+E000, digits, U+E001)     any of
 * these
 *
 * In the text each of them becomes HTML_TOKEN_OPEN N HTML_TOKEN_CLOSE. A value counts as a word. The other
 * three are nothing by themselves: line breaks are put so that a branch that is left out takes its own with
 * it, that a repeated one begins or ends its own line, and that nothing is glued together either way. (A text
 * that begins with such a block may begin with a line break.) Tokens in what is hidden, or in attributes that
 * are not read (all but href, alt, start, value), are not there: the caller checks that what is left is
 * well-formed. Everywhere else the two characters are dropped. */
#ifndef TSUBAME_HTML_TEXT_H
#define TSUBAME_HTML_TEXT_H

#include "buf.h"
#include "err.h"

#define HTML_TOKEN_OPEN  "\xEE\x80\x80"
#define HTML_TOKEN_CLOSE "\xEE\x80\x81"

enum {
    HTML_MAX = 2 * 1024 * 1024, /* bytes of HTML */
    HTML_DEPTH = 400,           /* elements within one another */
    HTML_TAGS = 200000
};

/* Appends the text of the HTML, a document or a part of one. -1 with err when it is not UTF-8 or over a
 * limit; out->failed as always. */
int html_to_text(struct slice html, struct buf *out, struct err *err);

#endif
