/* Files in memory, handed to the server as descriptors: it needs no rights on any file of ours. */
#ifndef TSUBAME_MEMFILE_H
#define TSUBAME_MEMFILE_H

#include "err.h"
#include "slice.h"

/* The descriptor, or -1 with err. name is for /proc only. */
int memfile_open(const char *name, struct slice bytes, struct err *err);

/* Copies it to a file, which is written over. Of an empty one no file is made. -1 with err. */
int memfile_save(int fd, const char *path, struct err *err);

#endif
