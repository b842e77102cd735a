/* Keeps accepted mail in a maildir: an observer. One file for each recipient, with Return-Path, Delivered-To
 * and Received in front. */
#ifndef TSUBAME_SIM_KEEP_H
#define TSUBAME_SIM_KEEP_H

#include "sim_observer.h"

struct sim_keep;

/* Makes path with cur, new and tmp where they are missing. NULL with err. */
struct sim_keep *sim_keep_open(const char *path, struct err *err);
struct sim_observer *sim_keep_observer(struct sim_keep *k);
void sim_keep_free(struct sim_keep *k);

#endif
