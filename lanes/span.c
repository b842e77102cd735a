/* How many messages a connection takes. span.h tells the rule. */
#include "span.h"

#define TRY_UNSURE (60 * US_PER_SEC)
#define TRY_MORE   (1800 * US_PER_SEC)

enum { KEPT_A_TRY = 300, KEPT_UNSURE = 20, SMALL = 10 };

void span_init(struct span *s, uint32_t start, uint32_t floor, uint32_t ceiling) {
    *s = (struct span){.limit = start, .floor = floor ? floor : 1, .ceiling = ceiling};
}

uint32_t span_for(struct span *s, mono_us now) {
    uint32_t n = s->limit;
    if (n > 0) {
        bool long_kept = ++s->kept >= (s->sure ? KEPT_A_TRY : KEPT_UNSURE);
        if (long_kept && now - s->tried >= (s->sure ? TRY_MORE : TRY_UNSURE)) {
            n += n / 4 + 1;
            s->kept = 0;
            s->tried = now;
        }
        if (n < s->floor) n = s->floor;
    }
    return s->ceiling && (n == 0 || n > s->ceiling) ? s->ceiling : n;
}

void span_taken(struct span *s, uint32_t n) {
    if (n > s->proven) s->proven = n;
    if (s->candidate && n > s->candidate) {
        s->candidate = s->matches = 0;
        s->refuted = true;
    }
    if (s->limit && n > s->limit) s->limit = s->sure ? n : 0; /* if it was only thought it was not so */
}

bool span_fits(const struct span *s, uint32_t n) {
    return n > 0 && n >= s->proven && (s->candidate == 0 || n >= s->candidate);
}

static bool found(struct span *s, uint32_t n, mono_us now) {
    bool other = n != s->limit;
    s->limit = s->proven = n;
    s->candidate = s->matches = s->kept = 0;
    s->refuted = false;
    s->tried = now;
    return other;
}

bool span_ended(struct span *s, uint32_t n, bool said, mono_us let_in, mono_us now) {
    if (n == 0) return false;
    if (said) {
        s->sure = true;
        return found(s, n, now);
    }
    if (n != s->candidate) {
        s->candidate = n;
        s->matches = 0;
        s->ended = s->began = now;
        return false;
    }
    if (let_in < s->ended) return false; /* they ran side by side: whatever ended one may have ended both */
    s->ended = now;
    s->matches++;
    s->sure = false;
    return s->matches >= (n < SMALL ? 2u : 1u) && found(s, n, now);
}

void span_confirmed(struct span *s) {
    s->sure = true;
}
