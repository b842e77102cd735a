/* Lists of recipients: one column of a CSV file (RFC 4180), or one address a line. */
#ifndef TSUBAME_SIM_LIST_H
#define TSUBAME_SIM_LIST_H

#include "buf.h"
#include "err.h"

struct sim_list {
    struct slice rest;
    const char *name;
    uint64_t line; /* of the record given last, from 1 */
    size_t column;
    struct buf field;
};

/* text: the file; name: for messages. column: its name in the head line; NULL: the first of email, address,
 * rcpt, recipient, to. Where the first line holds an address in its first column it is no head line, and the
 * first column is taken. */
int sim_list_open(struct sim_list *l, struct slice text, const char *name, const char *column,
                  struct err *err);

/* The next record's address, trimmed, valid until the next call; false at the end. Records without the column
 * or with nothing in it are passed over. */
bool sim_list_next(struct sim_list *l, struct slice *address);
void sim_list_done(struct sim_list *l);

#endif
