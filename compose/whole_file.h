/* Reads a file that does not change meanwhile, as those who write mails name it. Private to this folder. */
#ifndef TSUBAME_WHOLE_FILE_H
#define TSUBAME_WHOLE_FILE_H

#include <stddef.h>

/* Both return 0 or an errno. How many bytes fd has, if it is a regular file (else EISDIR or EINVAL) of at
 * most `most` bytes (else EFBIG). */
int whole_file_size(int fd, size_t most, size_t *size);

/* Reads these to `to`, which has room for size + 1. EBUSY when the file is not that long any more. */
int whole_file_read(int fd, char *to, size_t size);

#endif
