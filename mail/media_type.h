/* The media type of a file by the end of its name: those that people attach to mail. */
#ifndef TSUBAME_MEDIA_TYPE_H
#define TSUBAME_MEDIA_TYPE_H

#include "slice.h"

/* "application/pdf" for "a.PDF"; "application/octet-stream" when it is not known. A constant text. */
struct slice media_type_of(struct slice file_name);

#endif
