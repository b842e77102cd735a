/* When to knock at a door that is shut. */
#include "door.h"

void door_shut(struct door *d, mono_us least, mono_us most, mono_us now) {
    *d = (struct door){.shut = true,
                       .since = now,
                       .last = now,
                       .next = now + least,
                       .least = least < most ? least : most,
                       .most = most};
}

static mono_us pause(const struct door *d, mono_us now) {
    mono_us wait = (now - d->since) * 2 / 5;
    return wait < d->least ? d->least : wait > d->most ? d->most : wait;
}

bool door_knock(struct door *d, mono_us now, mono_us *when) {
    if (now < d->next) {
        *when = d->next;
        return false;
    }
    d->next = now + pause(d, now); /* should there be no answer */
    d->knocks++;
    return true;
}

void door_refused(struct door *d, mono_us now) {
    d->last = now;
    d->next = now + pause(d, now);
}

mono_us door_opened(struct door *d, mono_us now) {
    d->shut = false;
    return now - d->since;
}
