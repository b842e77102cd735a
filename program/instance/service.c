/* The only file that knows libsystemd; and the dropping of privileges. */
#include "service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

void service_ready(const char *status) {
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_status(const char *status) {
    sd_notifyf(0, "STATUS=%s", status);
}

void service_reloading(void) {
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono());
}

void service_stopping(void) {
    sd_notify(0, "STOPPING=1\nSTATUS=finishing what is on the wire");
}

int64_t service_watchdog_us(void) {
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)(us / 2) : 0;
}

void service_alive(void) {
    sd_notify(0, "WATCHDOG=1");
}

int service_find_group(const struct options *o, unsigned *gid, struct err *err) {
    if (!o->run.group) return 0;
    const struct group *group = getgrnam(o->run.group);
    if (!group) return err_set(err, ERR_INPUT, "run.group: there is no group '%s'", o->run.group);
    *gid = group->gr_gid;
    return 0;
}

int service_find_user(const struct options *o, struct service_user *user, struct err *err) {
    *user = (struct service_user){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0) return 0;
    if (!o->run.user)
        return err_set(err, ERR_INPUT,
                       "will not run as root: set run.user to the user to become (or to root, if that is "
                       "what you want)");
    struct passwd *pw = getpwnam(o->run.user);
    if (!pw) return err_set(err, ERR_INPUT, "run.user: there is no user '%s'", o->run.user);
    user->uid = pw->pw_uid;
    user->gid = pw->pw_gid;
    snprintf(user->name, sizeof user->name, "%s", o->run.user);
    if (service_find_group(o, &user->gid, err)) return -1;
    user->change = user->uid != 0 || user->gid != getegid();
    return 0;
}

int service_become(const struct service_user *user, struct err *err) {
    umask(077);
    if (!user->change) return 0;
    if (initgroups(user->name, user->gid) || setresgid(user->gid, user->gid, user->gid) ||
        setresuid(user->uid, user->uid, user->uid))
        return err_errno(err, errno, "becoming %s", user->name);
    if (user->uid != 0 && setuid(0) == 0)
        return err_set(err, ERR_SYSTEM, "becoming %s did not last", user->name);
    return 0;
}
