/* Is "there is no such domain" to be believed? A resolver that answers so for everything (a broken zone cut,
 * a captive portal, a filter gone wild) would fail a whole campaign for good within seconds.
 *
 * Two rules. A domain that had mail exchangers within the last two days is not gone at its first NXDOMAIN:
 * domains do not vanish between two mails. And where several in a row do not exist, a domain that was there
 * lately is asked again: only when that is still there are the others believed. What is not believed is no
 * answer: mail for it waits. A look-up more in ten seconds, and only while nothing else was found, is all
 * that it costs. */
#include "owner.h"

#include "log.h"

#include <stdio.h>

enum { IN_A_ROW = 2 };
#define LATELY  (2 * 24 * 3600 * US_PER_SEC)
#define VOUCHES (10 * US_PER_SEC)

static bool was_there(struct engine *e, struct slice domain) {
    struct mx_answer mx;
    buf_reset(&e->scratch);
    return ledger_domain_get(e->ledger, domain, time_now(e) - LATELY, &e->scratch) &&
           mx_answer_decode(buf_slice(&e->scratch), &mx) && (mx.status == MX_OK || mx.status == MX_IMPLICIT);
}

static void vouched(void *ctx, const struct mx_answer *mx) {
    struct dns_doubt *d = ctx;
    bool there = mx->status == MX_OK || mx->status == MX_IMPLICIT;
    d->asking = false;
    d->vouched_at = there ? loop_now(d->engine->loop) : 0;
    if (!there && !d->lies)
        log_say(
            LOG_LEVEL_WARN, "dns-not-believed", "domain", d->good, "note",
            "it was there and now is not, like others: that domains do not exist is taken for a failure of "
            "the resolver",
            NULL);
    if (there && d->lies) log_say(LOG_LEVEL_WARN, "dns-believed-again", "domain", d->good, NULL);
    d->lies = !there;
}

static void ask_again(struct engine *e, struct dns_doubt *d) {
    if (d->asking || !d->good[0]) return;
    d->engine = e;
    d->asking = resolver_mx(e->resolver, slice_of(d->good), vouched, d) == 0;
}

static bool believed(struct engine *e, struct slice domain) {
    struct dns_doubt *d = &e->doubt;
    d->row++;
    if (was_there(e, domain)) {
        if (d->row >= IN_A_ROW) ask_again(e, d);
        return false;
    }
    if (!d->good[0] || (d->row < IN_A_ROW && !d->lies)) return true;
    if (d->vouched_at && loop_now(e->loop) - d->vouched_at < VOUCHES) return true;
    ask_again(e, d);
    return false;
}

void doubt_answer(struct engine *e, struct slice domain, struct mx_answer *mx) {
    struct dns_doubt *d = &e->doubt;
    if (mx->status == MX_OK || mx->status == MX_IMPLICIT) {
        d->row = 0;
        if (!d->asking) snprintf(d->good, sizeof d->good, "%.*s", SLICE_ARG(domain));
        return;
    }
    if (mx->status != MX_NO_DOMAIN || believed(e, domain)) return;
    mx->status = MX_TEMPORARY;
    snprintf(mx->text, sizeof mx->text,
             "NXDOMAIN for %.*s is not believed: it was there lately, or others are gone too",
             domain.len > 90 ? 90 : (int)domain.len, domain.at);
}
