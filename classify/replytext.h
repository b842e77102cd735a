/* Numbers that stand in a reply's words. */
#ifndef TSUBAME_REPLYTEXT_H
#define TSUBAME_REPLYTEXT_H

#include "slice.h"

/* The first enhanced code (RFC 3463) of the text: "5.1.1", "(#5.1.1)", "550-5.1.1". class: 4 or 5 when only
 * such a one counts, else 0. False when there is none; an address such as 5.1.1.9 is none. */
bool replytext_enhanced(struct slice text, int class, uint16_t enhanced[3]);

/* How long the text asks to wait: "in 300 seconds", "for 5 minutes", "00:04:52", "300秒後". 0 when it doesn't
 * say, or says more than a day. */
uint32_t replytext_wait_s(struct slice text);

#endif
