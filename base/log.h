/* The log: logfmt lines on standard error, one for each outcome, with stable keys.
 *
 *     ts=2026-11-21T21:33:58.123Z level=info event=delivered campaign=7 to=a@example.com ms=12
 *
 * Each thread gathers its lines and writes them when they are many or when log_flush is called (a loop does
 * so each turn); warnings and errors go out at once. Values are quoted and escaped as needed: what a peer
 * said can't forge a line. Libraries do not log; programs and roles do. */
#ifndef TSUBAME_LOG_H
#define TSUBAME_LOG_H

#include "slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_OFF = -1 };

/* Before other threads run. fd is not owned. The default is warnings to standard error. */
void log_setup(int fd, enum log_level most);
bool log_on(enum log_level level);

/* One line is log_begin, any number of keys, log_end, on one thread. Keys are literals of [a-z0-9_]. When the
 * level is off nothing is gathered. */
void log_begin(enum log_level level, const char *event);
void log_text(const char *key, const char *value);
void log_slice(const char *key, struct slice value);
void log_number(const char *key, int64_t value);
void log_end(void);

/* The short form: log_say(LOG_LEVEL_WARN, "disk-full", "path", path, "error", e.text, NULL): pairs of texts.
 */
void log_say(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* Writes what this thread has gathered. */
void log_flush(void);

#endif
