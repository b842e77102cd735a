/* How a server stands in its system: systemd's notifications, whom it runs as. */
#ifndef TSUBAME_SERVICE_H
#define TSUBAME_SERVICE_H

#include "clock.h"
#include "err.h"
#include "options.h"

/* sd_notify; without systemd nothing happens. status: one line for `systemctl status`. */
void service_ready(const char *status);
void service_status(const char *status);
void service_reloading(void);
void service_stopping(void);
/* How often service_alive is to be called; 0: not at all. */
int64_t service_watchdog_us(void);
void service_alive(void);

/* Whom run.user and run.group mean. */
struct service_user {
    bool change;
    unsigned uid, gid;
    char name[256];
};

/* Resolves names. Root without run.user: ERR_INPUT, with what to do. Others: no change. */
int service_find_user(const struct options *o, struct service_user *user, struct err *err);

/* run.group, if there is one; else *gid stays. */
int service_find_group(const struct options *o, unsigned *gid, struct err *err);

/* Becomes it for good (groups, gid, uid); umask 077. */
int service_become(const struct service_user *user, struct err *err);

#endif
