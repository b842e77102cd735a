/* A worker's signing. The choice of keys is made once for a From domain and the time that it holds for, so a
 * mail costs a comparison. */
#include "signing.h"

#include "log.h"

#include <stdlib.h>

enum { USUAL_FIELD = 1024 };
#define COMPLAIN_US (60 * US_PER_SEC)

static void forget(struct signing *s) {
    for (size_t i = 0; s->ring && s->signers && i < s->ring->count; i++)
        dkim_signer_free(s->signers[i]);
    free(s->signers);
    keyring_drop(s->ring);
    s->signers = NULL;
    s->ring = NULL;
    for (unsigned i = 0; i < SIGNING_DOMAINS; i++)
        s->known[i].domain_len = 0;
}

/* The ring in force. */
static int refresh(struct signing *s, struct err *err) {
    if (s->signers && atomic_load_explicit(&s->hook->version, memory_order_acquire) == s->version) return 0;
    forget(s);
    s->ring = keyring_take(s->hook, &s->version);
    s->signers = calloc(s->ring->count + 1, sizeof(struct dkim_signer *));
    s->complain_after = 0;
    return s->signers ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
}

int signing_init(struct signing *s, struct keyring_hook *hook, struct err *err) {
    *s = (struct signing){.hook = hook};
    s->mail = dkim_mail_open(err);
    return s->mail ? refresh(s, err) : -1;
}

void signing_done(struct signing *s) {
    forget(s);
    dkim_mail_free(s->mail);
}

static void say_unsigned(struct signing *s, struct slice domain) {
    mono_us now = clock_mono();
    if (s->ring->count == 0 || now < s->complain_after) return;
    s->complain_after = now + COMPLAIN_US;
    log_begin(LOG_LEVEL_WARN, "unsigned");
    log_slice("from", domain);
    log_slice("why", SLICE("no DKIM key is for this From domain at this time"));
    log_end();
}

static const struct dkim_choice *choose(struct signing *s, struct slice domain, wall_us now) {
    struct signing_choice *k;
    for (k = s->known; k < s->known + SIGNING_DOMAINS; k++)
        if (k->domain_len && slice_eq(slice_make(k->domain, k->domain_len), domain)) break;
    bool found = k < s->known + SIGNING_DOMAINS;
    if (found && now >= k->choice.since && now < k->choice.until) return &k->choice;
    if (!found) k = &s->known[s->next++ % SIGNING_DOMAINS];
    k->choice = dkim_choose(s->ring->rules, s->ring->count, domain, now);
    k->domain_len = domain.len <= sizeof k->domain ? domain.len : 0;
    memcpy(k->domain, domain.at, k->domain_len);
    return &k->choice;
}

static int put_one(struct signing *s, size_t index, wall_us now, struct buf *out, struct err *err) {
    struct dkim_signer **signer = &s->signers[index];
    if (!*signer && !(*signer = dkim_signer_open(s->ring->keys[index].key, err))) return -1;
    return dkim_sign(s->mail, *signer, s->ring->rules[index].domain, s->ring->keys[index].selector,
                     now / US_PER_SEC, out, err);
}

int signing_put(struct signing *s, struct slice from_domain, struct slice mail,
                const struct dkim_body *prefix, size_t prefix_len, wall_us now, struct buf *out,
                struct err *err) {
    size_t start = out->len;
    if (refresh(s, err)) return -1;
    const struct dkim_choice *c = choose(s, from_domain, now);
    if (c->count == 0) {
        say_unsigned(s, from_domain);
        return 0;
    }
    int failed = dkim_mail_read(s->mail, mail, prefix, prefix_len, err);
    for (size_t i = 0; i < c->count && !failed; i++)
        failed = put_one(s, c->rules[i], now, out, err);
    if (failed) out->len = start;
    return failed;
}

size_t signing_room(const struct signing *s) {
    return s->ring && s->ring->count ? (size_t)DKIM_ALGORITHMS * USUAL_FIELD : 0;
}
