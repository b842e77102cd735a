/* The server's end of the control socket: what the command line asks of a running server.
 *
 * Requests ("do"): status | campaign {id, or name} | send {name, address_column, hold, list, template} with
 * descriptors of the CSV file, the encoded content and, if wanted, a file for rejected rows | hold, resume,
 * cancel {id} | backup {dir} | suppress {change: add or remove, addresses: [{address}], reason, note} |
 * suppress-import {address_column, reason} with descriptors of the CSV file and, if wanted, a file for
 * rejected rows | lanes, explain (ctl_lanes.h) | queue (ctl_queue.h) | trace (ctl_trace.h). A thread for each
 * client, CTL_CLIENTS at most; the owner thread is only ever asked, never held up. A client that leaves
 * before its campaign is loaded takes it along. Only root, the server's user and members of its group are
 * answered. */
#ifndef TSUBAME_CTL_H
#define TSUBAME_CTL_H

#include "instance.h"

enum { CTL_CLIENTS = 32 };

struct ctl;

/* Binds and listens, so that it can be done before privileges are dropped. A socket that a dead server left
 * is replaced, a live one is ERR_BUSY. NULL with err. */
struct ctl *ctl_open(const char *path, unsigned mode, struct err *err);

/* The socket becomes that user's and group's, for whom root is about to give itself up. */
int ctl_give(struct ctl *c, unsigned uid, unsigned gid, struct err *err);

/* Answers from here on. */
int ctl_start(struct ctl *c, struct instance *in, struct err *err);

/* Loads under way are given up, clients cut off. NULL is fine. */
void ctl_close(struct ctl *c);

#endif
