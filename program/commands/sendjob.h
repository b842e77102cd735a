/* What `tsubame send` was asked for, and the two ways to do it: here, or in a running server. */
#ifndef TSUBAME_SENDJOB_H
#define TSUBAME_SENDJOB_H

#include "command.h"
#include "show.h"
#include "talk.h"

struct sendjob {
    struct invocation *in;
    int csv;
    struct buf payload;
    char name[128];
    enum list_charset charset;
    struct slice address_column;
    const char *list, *template; /* the files' names; NULL when nothing is loaded */
    const char *rejects;
    bool hold;
    struct campaign_course course;
    bool detach;
    struct progress progress;
};

/* Counts SIGINT, SIGTERM and SIGHUP from here on; the second one ends the process at once (the ledger stands
 * that).
 */
extern volatile int sendjob_interrupted;
void sendjob_catch_signals(void);

/* Each returns an exit code. resume: nothing is loaded, the campaign `name` is brought to its end. */
int sendjob_here(struct sendjob *job, bool resume);
int sendjob_there(struct sendjob *job, struct talk *server, bool resume);
int sendjob_try(struct sendjob *job); /* --dry-run */

/* Where the rejected rows are, if that file was written. */
void sendjob_say_rejects(const struct sendjob *job);
/* "Loaded ..." and "Rejected rows are in ..." on standard error. */
void sendjob_say_loaded(struct sendjob *job, const struct load_counts *counts);
/* The last word: equation, where to look; JSON with --json. */
int sendjob_conclude(struct sendjob *job, const struct campaign_status *c);

#endif
