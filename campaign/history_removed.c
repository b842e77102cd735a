/* The table `removed` of the history. */
#include "history_removed.h"

#include <stdlib.h>

const char *removed_why_name(enum removed_why why) {
    switch (why) {
    case REMOVED_BY_AGE: return "history.keep";
    case REMOVED_BY_SIZE: return "history.max_size";
    case REMOVED_BY_HAND: return "tsubame prune";
    }
    return "unknown";
}

int history_removed_list(struct sql *db, struct history_removed **list, size_t *count, struct err *err) {
    struct sql_stmt *st =
        sql_prepare(db, "SELECT campaign, at, why, recipients, complete FROM removed ORDER BY campaign", err);
    size_t room = 0;
    int found = st ? 1 : -1;
    *list = NULL;
    *count = 0;
    while (found == 1 && (found = sql_step(st, err)) == 1) {
        if (*count == room) {
            room = room ? room * 2 : 64;
            struct history_removed *more = reallocarray(*list, room, sizeof *more);
            if (!more) {
                sql_reset(st);
                found = err_set(err, ERR_SYSTEM, "out of memory");
                break;
            }
            *list = more;
        }
        (*list)[(*count)++] = (struct history_removed){.campaign = (uint32_t)sql_int(st, 0),
                                                       .at = sql_int(st, 1),
                                                       .why = (enum removed_why)sql_int(st, 2),
                                                       .recipients = (uint64_t)sql_int(st, 3),
                                                       .complete = sql_int(st, 4) != 0};
    }
    if (found == 0) return 0;
    free(*list);
    *list = NULL;
    *count = 0;
    return -1;
}

int history_removed_put(struct sql *db, const struct history_removed *removed, struct err *err) {
    struct sql_stmt *st =
        sql_prepare(db,
                    "INSERT INTO removed (campaign, at, why, recipients, complete) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (campaign) DO UPDATE SET complete = excluded.complete",
                    err);
    if (!st) return -1;
    sql_bind_int(st, 1, removed->campaign);
    sql_bind_int(st, 2, removed->at);
    sql_bind_int(st, 3, removed->why);
    sql_bind_int(st, 4, (int64_t)removed->recipients);
    sql_bind_int(st, 5, removed->complete);
    return sql_run(st, err);
}

void history_removed_put_text(const struct history_removed *removed, struct buf *out) {
    char time[CLOCK_TEXT_MAX];
    clock_rfc3339(removed->at, time);
    buf_printf(out, "its recipients were removed from the history on %.10s (%s)", time,
               removed_why_name(removed->why));
}

int history_removed_fail(const struct history_removed *removed, struct err *err) {
    struct buf text;
    buf_init(&text, 256);
    history_removed_put_text(removed, &text);
    err_set(err, ERR_ABSENT, "campaign %u: %.*s; the sums remain", removed->campaign,
            SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    return -1;
}
