/* Files that belong to one recipient: found below one folder by a path that data make, so not to be trusted.
 *
 * Blocking: a worker waits for the disk. */
#ifndef TSUBAME_PERSONAL_H
#define TSUBAME_PERSONAL_H

#include "buf.h"
#include "err.h"

enum { PERSONAL_PATH_MAX = 1024, PERSONAL_FILE_MAX = 25 * 1024 * 1024 /* bytes */ };

/* Appends the file's bytes to out. folder: a descriptor of the folder, -1 when none is configured. The path
 * is relative, without `..`, and leads through no symbolic link; the file is a regular one of at most
 * PERSONAL_FILE_MAX bytes. 0, or -1 with err (ERR_INPUT: names the path). */
int personal_read(int folder, struct slice path, struct buf *out, struct err *err);

/* The same as a render_file_fn. folder: const int *. */
int personal_file(void *folder, struct slice path, struct buf *out, struct err *err);

/* Opens the folder itself; path NULL: *folder is -1. 0, or -1 with err. The descriptor is the caller's. */
int personal_folder(const char *path, int *folder, struct err *err);

#endif
