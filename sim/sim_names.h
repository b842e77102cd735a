/* From names to hosts to addresses and back, by arithmetic: a tail of 300,000 domains needs no table.
 *
 * Listed names are in a hash table; patterned ones ("d123.tail.test", "mx1.d123.tail.test") are parsed.
 * A host's address is 127.0.0.0 + its number; a provider's hosts are numbered in a row. */
#ifndef TSUBAME_SIM_NAMES_H
#define TSUBAME_SIM_NAMES_H

#include "sim_scenario.h"

enum sim_name_kind {
    SIM_NAME_ABSENT,
    SIM_NAME_EMPTY /* only names below it */,
    SIM_NAME_DOMAIN,
    SIM_NAME_HOST
};

struct sim_name {
    enum sim_name_kind kind;
    const struct sim_provider *provider;
    uint64_t
        domain;    /* its number, for a domain or a host of its own; for a hoster's host that of the hoster */
    uint32_t host; /* its number in the provider (listed), the domain (own) or the hoster */
};

/* Gives out addresses and builds the table; called by the reader. -1 with err on names that are there twice
 * or too many hosts. */
int sim_names_build(struct sim_scenario *s, struct err *err);

/* name: lower case, without a final dot. */
struct sim_name sim_names_find(const struct sim_scenario *s, struct slice name);

/* Which host has this address (host byte order)? kind is SIM_NAME_HOST or SIM_NAME_ABSENT. */
struct sim_name sim_names_at(const struct sim_scenario *s, uint32_t address);

/* The address of a host, or of a domain without MX (implicit). Host byte order. */
uint32_t sim_names_address(const struct sim_name *n);

/* A host's name; out holds at least 256 bytes. Returns its length. */
size_t sim_host_name(const struct sim_name *n, char out[256]);

/* How many mail exchangers a domain has, and the n-th of them. */
uint32_t sim_mx_count(const struct sim_name *domain);
struct sim_name sim_mx(const struct sim_name *domain, uint32_t n, uint32_t *preference);

/* Whose hosts take a domain's mail: the number of its hoster, or its own. */
uint64_t sim_owner(const struct sim_name *domain);

#endif
