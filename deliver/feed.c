/* What is to be sent comes into the backlog here: chunks of one domain as they are, chunks of many domains
 * taken apart a few at a time, recipients whose retry is due. Also what a window needs of them in memory: the
 * chunk's table and the compiled content. */
#include "owner.h"

#include "log.h"

#include <assert.h>
#include <stdlib.h>

struct chunk_table *feed_table(const struct chunk *chunk) {
    return ((struct opened *)chunk->user)->table;
}

bool feed_is_loaded(const struct chunk *chunk) {
    return chunk->user && feed_table(chunk);
}

static void unload(struct engine *e, struct opened *opened) {
    if (!opened->table) return;
    if (opened->mixed) e->mixed_bytes -= opened->table->bytes;
    opened->mixed = false;
    chunk_table_free(opened->table);
    opened->table = NULL;
    e->counters.chunks_open--;
}

void feed_let_go(struct engine *e, struct chunk *chunk) {
    struct opened *opened = chunk->user;
    if (opened && chunk->holds == 1u + opened->listed && !chunk->leased) unload(e, opened);
    ledger_release(e->ledger, chunk);
}

void feed_put_away(struct engine *e, struct chunk *chunk) {
    struct opened *opened = chunk->user;
    if (opened && !opened->mixed && !chunk->leased) unload(e, opened);
}

static struct slots pending_slots(const struct chunk *chunk) {
    struct slots s = {{0}};
    for (unsigned i = 0; i < chunk->count; i++)
        if (chunk->states[i] == SLOT_PENDING) slots_add(&s, i);
    return s;
}

/* How recipients come into the backlog. */
enum entry { NEW, DUE, DUE_BACK };

static bool put(struct engine *e, struct domain *d, struct chunk *chunk, const struct slots *slots,
                enum entry entry) {
    enum work work = entry == NEW ? WORK_FRESH : WORK_DUE;
    return entry == DUE_BACK ? backlog_put_back(&e->backlog, d, chunk, slots, work)
                             : backlog_add(&e->backlog, d, chunk, slots, work);
}

/* Takes over a hold. NULL: they don't come into the backlog, for an order stands in their way. */
static struct domain *add(struct engine *e, struct slice name, struct chunk *chunk, const struct slots *slots,
                          enum entry entry) {
    /* A name that is too long is none: cut, it still is not to be found. */
    if (name.len > 253) name.len = 253;
    struct domain *d = hands_domain(e, name, chunk->campaign);
    if (!d) abort(); /* no memory: a restart finds everything */
    if (hands_keep(e, d, chunk, slots)) return NULL;
    if (!put(e, d, chunk, slots, entry)) abort();
    if (e->hands.orders.count) hands_stop(e, backlog_queue(&e->backlog, d, chunk->campaign));
    return d;
}

static void list_in(struct feed_list *list, struct feed_item *item) {
    item->next = NULL;
    if (list->last)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
}

void feed_chunk(void *ctx, struct chunk *chunk, const struct chunk_row *row) {
    struct engine *e = ctx;
    if (!backlog_may_go(chunk->campaign) || !chunk->pending) return;
    ledger_hold(chunk);
    if (row->domain.len) {
        struct slots slots = pending_slots(chunk);
        struct domain *d = add(e, row->domain, chunk, &slots, NEW);
        if (d) backlog_ask_first(&e->backlog, d);
        return;
    }
    struct feed_item *item = calloc(1, sizeof *item);
    if (!item) abort();
    item->chunk = chunk;
    list_in(&e->mixed[chunk->campaign->row.course.priority], item);
}

/* Files the slots under their domains; neighbours mostly have the same one. The chunk is held. */
static void take_apart(struct engine *e, struct chunk *chunk, const struct slots *all, enum entry entry) {
    struct chunk_table *table = feed_table(chunk);
    struct slots wanted = *all, *slots = &wanted;
    if (!suppress_screen(e, chunk, slots)) {
        ledger_unwake(e->ledger, chunk, slots, clock_wall());
        return;
    }
    struct slots run = {{0}};
    struct slice domain = {0};
    for (int i = slots_next(slots, 0); i >= 0; i = slots_next(slots, (unsigned)i + 1)) {
        struct slice of = hands_domain_of(chunk_table_address(table, (unsigned)i));
        if (domain.at && !slice_eq(of, domain)) {
            ledger_hold(chunk);
            add(e, domain, chunk, &run, entry);
            run = (struct slots){{0}};
        }
        domain = of;
        slots_add(&run, (unsigned)i);
    }
    if (!domain.at) return;
    ledger_hold(chunk);
    add(e, domain, chunk, &run, entry);
}

/* The campaign can't go on: its stored data is not what it must be. A person has to look. */
void feed_hold_broken(struct engine *e, struct campaign *c, const struct err *err) {
    if (c->row.state != CAMPAIGN_READY) return;
    log_begin(LOG_LEVEL_ERROR, "campaign-held");
    log_number("campaign", c->row.id);
    log_text("error", err->text);
    log_end();
    ledger_set_state(e->ledger, c, CAMPAIGN_HELD, clock_wall());
    e->purge_due = true;
}

static bool load_table(struct engine *e, struct chunk *chunk, struct err *err) {
    if (feed_is_loaded(chunk)) return true;
    buf_reset(&e->scratch);
    if (segment_read(e->store, chunk->table, &e->scratch, err)) return false;
    struct chunk_table *table = chunk_table_decode(buf_slice(&e->scratch), e->pack, err);
    if (!table) return false;
    if (table->count < chunk->count) {
        chunk_table_free(table);
        return err_set(err, ERR_CORRUPT, "a chunk's table is too short"), false;
    }
    if (!chunk->user && !(chunk->user = calloc(1, sizeof(struct opened)))) {
        chunk_table_free(table);
        return err_set(err, ERR_SYSTEM, "out of memory"), false;
    }
    ((struct opened *)chunk->user)->table = table;
    e->counters.chunks_open++;
    return true;
}

enum { PREFIX_LEAST = 256 /* bytes: fewer are not worth a copy of the hash's state */ };

static void content_free(struct campaign_content *content) {
    if (!content) return;
    template_free(content->template);
    dkim_body_free(content->prefix);
    arena_done(&content->arena);
    free(content);
}

static bool split_columns(struct campaign_content *content, struct slice names) {
    struct slice rest = names, name;
    size_t room = 1;
    for (size_t i = 0; i < names.len; i++)
        room += names.at[i] == '\n';
    content->columns = arena_alloc(&content->arena, room * sizeof *content->columns);
    if (!content->columns || !arena_copy(&content->arena, names, &rest)) return false;
    if (names.len == 0) return true;
    while (slice_cut(&rest, '\n', &name))
        content->columns[content->column_count++] = name;
    return true;
}

/* The stored payload: 0 and the content, or 1 and the name of the segment record that holds it. */
static bool read_payload(struct engine *e, uint64_t key, struct buf *payload, struct err *err) {
    struct buf stored;
    struct slice rest;
    struct segment_ref ref;
    uint8_t kind;
    buf_init(&stored, STORE_VALUE_MAX);
    bool ok = ledger_payload_get(e->ledger, key, &stored, err);
    rest = buf_slice(&stored);
    if (ok && take_u8(&rest, &kind) && kind == 0)
        ok = buf_put_slice(payload, rest);
    else if (ok && kind == 1 && segment_ref_take(&rest, &ref))
        ok = segment_read(e->store, ref, payload, err) == 0;
    else if (ok)
        ok = err_set(err, ERR_CORRUPT, "the content of the campaign cannot be read") == 0;
    buf_done(&stored);
    return ok;
}

/* The same hash would be made for every mail. */
static bool begin_hash(struct campaign_content *content, struct err *err) {
    struct slice prefix = template_prefix(content->template);
    if (prefix.len < PREFIX_LEAST) return true;
    content->prefix = dkim_body_open(err);
    if (!content->prefix) return false;
    dkim_body_put(content->prefix, prefix);
    content->prefix_len = prefix.len;
    return true;
}

static bool load_content(struct engine *e, struct campaign *c, struct err *err) {
    if (c->user) return true;
    struct campaign_content *content = calloc(1, sizeof *content);
    if (!content) return err_set(err, ERR_SYSTEM, "out of memory"), false;
    struct arena arena;
    struct buf payload;
    struct content written;
    arena_init(&content->arena, 1 << 20);
    arena_init(&arena, CONTENT_ROOM);
    buf_init(&payload, CONTENT_MAX + 1024);
    bool ok =
        read_payload(e, c->row.payload, &payload, err) &&
        content_decode(buf_slice(&payload), &arena, &written, err) == 0 &&
        split_columns(content, c->row.columns) &&
        (content->template = template_compile(&written, content->columns, content->column_count, err)) &&
        begin_hash(content, err);
    buf_done(&payload);
    arena_done(&arena);
    if (!ok) {
        content_free(content);
        return false;
    }
    content->shared = template_shared(content->template);
    c->user = content;
    return true;
}

const struct address *feed_from(struct engine *e, struct campaign *c) {
    struct err err = {0};
    if (load_content(e, c, &err)) return template_from(((const struct campaign_content *)c->user)->template);
    feed_hold_broken(e, c, &err);
    return NULL;
}

bool feed_load(struct engine *e, struct chunk *chunk) {
    struct err err = {0};
    if (load_content(e, chunk->campaign, &err) && load_table(e, chunk, &err)) return true;
    feed_hold_broken(e, chunk->campaign, &err);
    return false;
}

void feed_forget(void *ctx, struct chunk *chunk) {
    struct engine *e = ctx;
    struct opened *opened = chunk->user;
    if (!opened) return;
    unload(e, opened);
    free(opened);
    chunk->user = NULL;
}

void feed_campaign_done(void *ctx, struct campaign *c) {
    struct engine *e = ctx;
    log_begin(LOG_LEVEL_INFO, "campaign-done");
    log_number("campaign", c->row.id);
    log_number("delivered", (int64_t)c->row.tally.delivered);
    log_number("failed", (int64_t)c->row.tally.failed);
    log_end();
    content_free(c->user); /* nothing of it is leased */
    c->user = NULL;
    if (e->hands.orders.count) e->hands.over_due = true;
}

void feed_count_mixed(struct engine *e, struct chunk *chunk) {
    struct opened *opened = chunk->user;
    if (opened->mixed) return;
    opened->mixed = true;
    e->mixed_bytes += opened->table->bytes;
}

/* The tables of chunks taken apart stay in memory until the last of their recipients is through: so many at a
 * time. */
static void feed_list(struct engine *e, struct feed_list *list, size_t most_bytes) {
    for (unsigned n = 0; list->first && e->mixed_bytes < most_bytes && !commit_late(e); n++) {
        if (n == MIXED_A_TURN) { /* what is kept by an order takes no room, and still takes its time */
            loop_wake_send(e->wake);
            return;
        }
        struct feed_item *item = list->first;
        struct chunk *chunk = item->chunk;
        list->first = item->next;
        if (!list->first) list->last = NULL;
        free(item);
        struct slots slots = pending_slots(chunk);
        bool wanted = backlog_may_go(chunk->campaign) && slots_count(&slots);
        if (wanted && feed_load(e, chunk)) {
            feed_count_mixed(e, chunk);
            take_apart(e, chunk, &slots, NEW);
        }
        feed_let_go(e, chunk);
    }
}

void feed_mixed(struct engine *e) {
    feed_list(e, &e->mixed[PRIORITY_TRANSACTIONAL], MIXED_BYTES_URGENT);
    feed_list(e, &e->mixed[PRIORITY_BULK], MIXED_BYTES_MAX);
}

/* What may not go out leaves the backlog, so that no session is opened and nothing looked up for it. When its
 * campaign goes on all that waits is fed anew. */
void feed_purge(struct engine *e) {
    e->purge_due = false;
    for (int p = 0; p < PRIORITIES; p++) {
        struct feed_item *item = e->mixed[p].first, *next;
        e->mixed[p] = (struct feed_list){0};
        for (; item; item = next) {
            next = item->next;
            if (backlog_may_go(item->chunk->campaign)) {
                list_in(&e->mixed[p], item);
                continue;
            }
            ledger_release(e->ledger, item->chunk);
            free(item);
        }
    }
    aside_purge(e);
    backlog_purge(&e->backlog, feed_drop, e);
}

void feed_due(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct engine *e = ctx;
    ledger_hold(chunk);
    if (feed_load(e, chunk))
        take_apart(e, chunk, slots, DUE);
    else
        ledger_unwake(e->ledger, chunk, slots, clock_wall());
    feed_let_go(e, chunk);
}

void feed_retries(struct engine *e) {
    struct ledger_counters counters;
    struct err err = {0};
    wall_us now = time_now(e);
    ledger_counters(e->ledger, &counters);
    e->counters.retries_waiting = counters.retries_at_work;
    if (e->draining || counters.retries_at_work >= RETRIES_AT_WORK_MAX || commit_late(e)) return;
    unsigned room = RETRIES_AT_WORK_MAX - (unsigned)counters.retries_at_work;
    if (ledger_due(e->ledger, now, room, feed_due, e, &e->next_due, &err) < 0)
        log_say(LOG_LEVEL_ERROR, "retry-table", "error", err.text, NULL);
}

/* Was it tried before? What comes back together is of one batch, and so are all of it then. */
static bool are_due(const struct engine *e, const struct chunk *chunk, const struct slots *slots) {
    int first = slots_next(slots, 0);
    return first >= 0 && ledger_attempts(e->ledger, chunk_rid(chunk->id, (unsigned)first)).attempts > 0;
}

void feed_return(struct engine *e, struct chunk *chunk, const struct slots *slots) {
    if (chunk->campaign->row.state == CAMPAIGN_READY && !chunk->campaign->waits)
        take_apart(e, chunk, slots, are_due(e, chunk, slots) ? DUE_BACK : NEW);
    else
        ledger_unwake(e->ledger, chunk, slots, clock_wall());
}

/* Stale slots on their way out of the backlog: those taken from the retry table go back there. */
void feed_drop(void *ctx, struct chunk *chunk, const struct slots *slots) {
    struct engine *e = ctx;
    ledger_unwake(e->ledger, chunk, slots, clock_wall());
    feed_let_go(e, chunk);
}

static void release(void *ctx, struct chunk *chunk) {
    ledger_release(ctx, chunk);
}

void feed_done(struct engine *e) {
    for (int p = 0; p < PRIORITIES; p++)
        for (struct feed_item *item = e->mixed[p].first, *next; item; item = next) {
            next = item->next;
            ledger_release(e->ledger, item->chunk);
            free(item);
        }
    hands_done(e);
    backlog_done(&e->backlog, release, e->ledger);
    for (struct campaign *c = ledger_campaigns(e->ledger); c; c = c->next)
        content_free(c->user);
}
