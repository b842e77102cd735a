/* Sites and lanes: where mail goes, and whose turn it is. */
#include "backlog_priv.h"

#include <stdio.h>

static void site_in(struct site *site) {
    struct lane *lane = site->lane;
    if (!lane->turn) {
        site->next = site->prev = site;
        lane->turn = site;
    } else { /* last of the round */
        site->next = lane->turn;
        site->prev = lane->turn->prev;
        site->prev->next = site->next->prev = site;
    }
}

static void site_out(struct site *site) {
    struct lane *lane = site->lane;
    if (site->next == site)
        lane->turn = NULL;
    else {
        site->prev->next = site->next;
        site->next->prev = site->prev;
        if (lane->turn == site) lane->turn = site->next;
    }
    site->next = site->prev = NULL;
}

static void urgent_in(struct site *site) {
    struct lane *lane = site->lane;
    site->next_urgent = NULL;
    site->prev_urgent = lane->urgent_last;
    if (lane->urgent_last)
        lane->urgent_last->next_urgent = site;
    else
        lane->urgent = site;
    lane->urgent_last = site;
    site->urgent = true;
}

static void urgent_out(struct site *site) {
    struct lane *lane = site->lane;
    if (site->prev_urgent)
        site->prev_urgent->next_urgent = site->next_urgent;
    else
        lane->urgent = site->next_urgent;
    if (site->next_urgent)
        site->next_urgent->prev_urgent = site->prev_urgent;
    else
        lane->urgent_last = site->prev_urgent;
    site->next_urgent = site->prev_urgent = NULL;
    site->urgent = false;
}

void backlog_site_turn(struct site *site) {
    const struct flow *first = flows_first(site);
    site->turn = first ? queue_domain(first->turn[flows_work(first)]) : NULL;
    if (site->turn && !site->next) site_in(site);
    if (!site->turn && site->next) site_out(site);
    if (backlog_urgent(site) && !site->urgent) urgent_in(site);
    if (!backlog_urgent(site) && site->urgent) urgent_out(site);
}

/* ---- sites ---- */

struct site *backlog_site(struct backlog *b, uint64_t key) {
    struct site *site = b->sites[key & (b->site_slots - 1)];
    while (site && site->key != key)
        site = site->same_key;
    return site;
}

static void grow(struct backlog *b) {
    size_t slots = b->site_slots * 2;
    struct site **sites = calloc(slots, sizeof *sites);
    if (!sites) return;
    for (size_t i = 0; i < b->site_slots; i++)
        for (struct site *s = b->sites[i], *next; s; s = next) {
            next = s->same_key;
            s->same_key = sites[s->key & (slots - 1)];
            sites[s->key & (slots - 1)] = s;
        }
    free(b->sites);
    b->sites = sites;
    b->site_slots = slots;
}

void backlog_site_refresh(struct site *site, struct slice mx) {
    if (slice_eq(site->mx, mx)) return;
    char *copy = malloc(mx.len ? mx.len : 1);
    if (!copy) return; /* the old answer will do */
    if (mx.len) memcpy(copy, mx.at, mx.len);
    free((char *)site->mx.at);
    site->mx = slice_make(copy, mx.len);
}

static void site_free(struct backlog *b, struct site *site) {
    flows_done(b, site);
    free((char *)site->mx.at);
    free(site->marks);
    free(site);
}

struct site *backlog_site_new(struct backlog *b, uint64_t key, struct lane *lane, struct slice mx) {
    if (b->site_count >= b->site_slots) grow(b);
    struct site *site = calloc(1, sizeof *site);
    if (!site) return NULL;
    site->key = key;
    site->lane = lane;
    backlog_site_refresh(site, mx);
    struct site **bucket = &b->sites[key & (b->site_slots - 1)];
    site->same_key = *bucket;
    *bucket = site;
    b->site_count++;
    lane->sites++;
    return site;
}

/* ---- lanes ---- */

struct lane *backlog_lane(struct backlog *b, struct slice name, unsigned source) {
    for (struct lane *lane = b->lanes; lane; lane = lane->next)
        if (!lane->tail && lane->source == source && slice_eq(slice_of(lane->name), name)) return lane;
    return NULL;
}

/* Lanes of providers stand in front, so that looking one up does not walk the tail. */
struct lane *backlog_lane_new(struct backlog *b, struct slice name, unsigned source, bool tail) {
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane) return NULL;
    snprintf(lane->name, sizeof lane->name, "%.*s", SLICE_ARG(name));
    lane->source = source;
    lane->tail = tail;
    struct lane *before = NULL, *at = b->lanes;
    while (tail && at && !at->tail)
        before = at, at = at->next;
    lane->prev = before;
    lane->next = at;
    if (at) at->prev = lane;
    if (before)
        before->next = lane;
    else
        b->lanes = lane;
    b->lane_count++;
    return lane;
}

static void lane_free(struct backlog *b, struct lane *lane) {
    if (lane->prev)
        lane->prev->next = lane->next;
    else
        b->lanes = lane->next;
    if (lane->next) lane->next->prev = lane->prev;
    b->lane_count--;
    if (b->gone) b->gone(b->gone_ctx, lane);
    learn_done(&lane->learn);
    free(lane);
}

bool backlog_free_if_dead(struct backlog *b, struct lane *lane) {
    if (!lane->tail || lane->sites || lane->queued || lane->starving || lane->starving_urgent) return false;
    if (lane->sleeper) backlog_rouse(b, lane);
    lane_free(b, lane);
    return true;
}

void backlog_site_check(struct backlog *b, struct site *site) {
    struct lane *lane = site->lane;
    if (site->turn || site->sessions || site->waiting || site->stopped) return;
    /* Domains without work are forgotten at once, so none points here. */
    struct site **at = &b->sites[site->key & (b->site_slots - 1)];
    while (*at != site)
        at = &(*at)->same_key;
    *at = site->same_key;
    b->site_count--;
    site_free(b, site);
    lane->sites--;
    backlog_free_if_dead(b, lane);
}

void backlog_sites_done(struct backlog *b) {
    for (size_t i = 0; i < b->site_slots; i++)
        while (b->sites[i]) {
            struct site *site = b->sites[i];
            b->sites[i] = site->same_key;
            site_free(b, site);
        }
    for (struct lane *lane = b->lanes, *next; lane; lane = next) {
        next = lane->next;
        learn_done(&lane->learn);
        free(lane);
    }
    b->lanes = NULL;
    b->lane_count = 0;
    free(b->sleepers);
    b->sleepers = NULL;
    b->sleeping = b->sleepers_room = 0;
}

/* ---- the run queue ---- */

static void push(struct lane_list *list, struct lane *lane) {
    lane->next_in_list = NULL;
    if (list->last)
        list->last->next_in_list = lane;
    else
        list->first = lane;
    list->last = lane;
}

static struct lane *shift(struct lane_list *list) {
    struct lane *lane = list->first;
    if (!lane) return NULL;
    list->first = lane->next_in_list;
    if (!list->first) list->last = NULL;
    return lane;
}

void backlog_run(struct backlog *b, struct lane *lane) {
    if (lane->queued) return;
    if (lane->sleeper) backlog_rouse(b, lane);
    lane->queued = true;
    push(&b->run, lane);
}

struct lane *backlog_next_to_run(struct backlog *b) {
    struct lane *lane;
    while ((lane = shift(&b->run))) {
        lane->queued = false;
        if (!lane->tail || lane->sites) return lane;
        backlog_free_if_dead(b, lane);
    }
    return NULL;
}

static void starve_urgently(struct backlog *b, struct lane *lane) {
    struct lane_list *list = &b->starving_urgent;
    if (lane->starving_urgent) return;
    lane->starving_urgent = true;
    lane->next_starving_urgent = NULL;
    if (list->last)
        list->last->next_starving_urgent = lane;
    else
        list->first = lane;
    list->last = lane;
}

struct lane *backlog_next_urgent(struct backlog *b) {
    struct lane_list *list = &b->starving_urgent;
    struct lane *lane;
    while ((lane = list->first)) {
        list->first = lane->next_starving_urgent;
        if (!list->first) list->last = NULL;
        lane->starving_urgent = false;
        if (!lane->tail || lane->sites) return lane;
        backlog_free_if_dead(b, lane);
    }
    return NULL;
}

void backlog_starve(struct backlog *b, struct lane *lane, bool big) {
    if (lane->urgent) {
        starve_urgently(b, lane);
        return;
    }
    if (lane->starving) return;
    struct lane_list *list = &b->starving[big];
    lane->starving = true;
    lane->next_starving = NULL;
    if (list->last)
        list->last->next_starving = lane;
    else
        list->first = lane;
    list->last = lane;
    b->starving_count[big]++;
}

struct lane *backlog_next_starving(struct backlog *b, bool big) {
    struct lane_list *list = &b->starving[big];
    struct lane *lane;
    while ((lane = list->first)) {
        list->first = lane->next_starving;
        if (!list->first) list->last = NULL;
        b->starving_count[big]--;
        lane->starving = false;
        if (!lane->tail || lane->sites) return lane;
        backlog_free_if_dead(b, lane);
    }
    return NULL;
}
