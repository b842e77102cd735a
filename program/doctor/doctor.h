/* What the checks of `tsubame doctor` share: facts are gathered here and judged in verdict*.c. A check is a
 * function that says one finding or several; the table in cmd_doctor.c names them. */
#ifndef TSUBAME_DOCTOR_H
#define TSUBAME_DOCTOR_H

#include "instance.h"
#include "names_ask.h"
#include "service.h"
#include "verdict.h"

struct finding {
    const char *group, *name; /* "store", "disk" */
    char about[160];          /* which of several: a source, a key; "" */
    struct verdict verdict;
};

enum { FINDINGS_MOST = 4096, GROUPS_MOST = 64 };

struct doctor {
    const struct options *options;
    const char *connect, *try; /* --connect, --try: NULL when not given */
    const char *file;          /* of the configuration, or NULL */
    const char *const *sets;
    size_t set_count;
    struct service_user user; /* whom `serve` becomes */
    char user_name[256];
    struct store *store;     /* read-only; NULL: it could not be opened */
    struct err store_error;  /* then */
    struct jdoc *server;     /* what a running one says of itself; NULL: none */
    struct err server_error; /* then */
    struct names_ask *names; /* NULL: names_error */
    struct err names_error;
    const char *group, *name; /* of the check at work */
    struct finding *findings;
    size_t count;
};

/* Adds a finding of the check at work. about may be "". */
void doctor_find(struct doctor *d, const char *about, const struct verdict *v);
/* The same for other names than the check's own. */
void doctor_find_as(struct doctor *d, const char *name, const char *about, const struct verdict *v);

/* doctor_host.c */
void doctor_configuration(struct doctor *d);
void doctor_permissions(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_listen(struct doctor *d);

/* doctor_store.c */
void doctor_store_open(struct doctor *d);
void doctor_store(struct doctor *d);
void doctor_server(struct doctor *d);
void doctor_work(struct doctor *d);

/* doctor_names.c */
void doctor_resolver(struct doctor *d);
void doctor_sources(struct doctor *d);
void doctor_dkim(struct doctor *d);
void doctor_policies(struct doctor *d);
void doctor_port(struct doctor *d);

#endif
