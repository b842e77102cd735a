/* Clocks and the two forms in which a date is written. */
#include "clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * US_PER_SEC + t.tv_nsec / 1000;
}

wall_us clock_wall(void) {
    return read_clock(CLOCK_REALTIME);
}

mono_us clock_mono(void) {
    return read_clock(CLOCK_MONOTONIC);
}

mono_us clock_boot(void) {
    return read_clock(CLOCK_BOOTTIME);
}

static struct tm split(wall_us t, int *millis) {
    int64_t sec = t / US_PER_SEC, us = t % US_PER_SEC;
    if (us < 0) us += US_PER_SEC, sec--;
    time_t seconds = (time_t)sec;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    *millis = (int)(us / 1000);
    return tm;
}

int clock_rfc3339(wall_us t, char out[CLOCK_TEXT_MAX]) {
    int millis;
    struct tm tm = split(t, &millis);
    return snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, millis);
}

int clock_rfc5322(wall_us t, char out[CLOCK_TEXT_MAX]) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int millis;
    struct tm tm = split(t, &millis);
    return snprintf(out, CLOCK_TEXT_MAX, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
                    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
