/* What a check of `tsubame doctor` comes to, and how it is decided: facts in, verdict out. Pure: no clock,
 * files or sockets; who gathers the facts is in doctor_*.c. */
#ifndef TSUBAME_VERDICT_H
#define TSUBAME_VERDICT_H

#include "addr.h"
#include "clock.h"
#include "dkim_key.h"
#include "records.h"

enum verdict_result {
    VERDICT_GOOD,
    VERDICT_ADVICE,   /* it works, and should not stay so */
    VERDICT_WRONG,    /* mail will not go out, or not arrive */
    VERDICT_UNCHECKED /* `seen` says why not */
};
const char *verdict_name(enum verdict_result result); /* "good", "advice", "wrong", "not checked" */

struct verdict {
    enum verdict_result result;
    char seen[400]; /* a clause */
    char why[300];  /* why that matters; "" when good */
    char mend[600]; /* what to do: a command, record or line of the configuration; "" when good */
};

/* Result and what was seen; the other two are "" until they are said. */
void verdict_set(struct verdict *v, enum verdict_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void verdict_why(struct verdict *v, const char *text);
void verdict_mend(struct verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the host (verdict_host.c) ---- */

struct files_facts {
    uint64_t soft, hard;       /* RLIMIT_NOFILE here */
    uint64_t sessions, beside; /* deliver.max_sessions; what is needed besides */
};
void verdict_files(const struct files_facts *f, struct verdict *v);

struct memory_facts {
    uint64_t available; /* bytes; 0: not known */
    uint64_t sessions, gathering;
};
enum { MEMORY_BASE = 256 << 20, MEMORY_A_SESSION = 96 << 10 };
void verdict_memory(const struct memory_facts *f, struct verdict *v);

struct ports_facts {
    unsigned low, high; /* of ip_local_port_range; 0, 0: not known */
    uint64_t sessions;
    unsigned sources;
};
void verdict_ports(const struct ports_facts *f, struct verdict *v);

/* workers 0: one for each processor. */
void verdict_workers(int64_t workers, unsigned processors, struct verdict *v);

struct clock_facts {
    bool known, synchronised;
    wall_us now, newest; /* newest: what the ledger or the program's file says has been; 0: nothing */
    const char *newest_is;
};
void verdict_clock(const struct clock_facts *f, struct verdict *v);
void verdict_clock_back(const struct clock_facts *f, struct verdict *v);

struct disk_facts {
    const char *path;
    uint64_t free_bytes, reserve, free_inodes, inodes; /* inodes 0: the file system does not count them */
    bool reserve_held;                                 /* the file is there already */
};
void verdict_disk(const struct disk_facts *f, struct verdict *v);
void verdict_inodes(const struct disk_facts *f, struct verdict *v);
/* magic: f_type of statfs. */
void verdict_filesystem(uint64_t magic, const char *path, struct verdict *v);

struct map_facts {
    uint64_t used, map_size;
};
void verdict_map(const struct map_facts *f, struct verdict *v);

/* A file or folder and whom the service runs as. */
struct access_facts {
    const char *path;
    const char *what; /* "store.path", "dkim[0]: key_file" */
    unsigned mode, uid, gid;
    bool folder, secret, needs_write;
    unsigned user; /* the service's */
    const char *user_name;
    bool is_in_group; /* it is a member of gid */
};
void verdict_access(const struct access_facts *f, struct verdict *v);

/* ---- names (verdict_names.c) ---- */

/* HELO names that receivers know for wrong at sight. */
void verdict_helo(const char *helo, const char *key, struct verdict *v);

struct source_facts {
    struct net_addr address; /* NET_NONE: the system chooses, and the next is what it would */
    struct net_addr used;    /* NET_NONE: not known */
    bool bindable;
    int error; /* errno when it is not */
    const char *helo;
    const struct records_answer *forward; /* A or AAAA of helo; NULL: not asked */
    const struct records_answer *reverse; /* PTR */
    bool confirmed;                       /* a PTR name leads back to the address */
    bool private_hosts;
};
void verdict_source_address(const struct source_facts *f, struct verdict *v);
void verdict_source_helo(const struct source_facts *f, struct verdict *v);
void verdict_source_reverse(const struct source_facts *f, struct verdict *v);

/* What is published under SELECTOR._domainkey.DOMAIN against what the private key wants there. */
enum dkim_published {
    DKIM_PUBLISHED,
    DKIM_PUBLISHED_OTHER,   /* another key */
    DKIM_PUBLISHED_REVOKED, /* p= is empty */
    DKIM_PUBLISHED_TEST,    /* the key, and t=y: receivers take the mail as unsigned */
    DKIM_PUBLISHED_BROKEN,  /* no DKIM record, or one that does not apply */
    DKIM_PUBLISHED_TWICE,   /* several records: any may be taken */
    DKIM_PUBLISHED_NOT,
    DKIM_PUBLISHED_UNKNOWN /* no answer now */
};
enum dkim_published dkim_published(const struct records_answer *answer, struct slice wanted);
void verdict_dkim(enum dkim_published published, const struct records_answer *answer, const char *name,
                  struct slice wanted, struct verdict *v);

/* answer: TXT of _dmarc.DOMAIN. */
void verdict_dmarc(const struct records_answer *answer, const char *domain, struct verdict *v);

/* answer: TXT of the domain. Presence, one record, its end; and whether an address stands in it literally:
 * what `include`, `a` and `mx` lead to is not followed. */
void verdict_spf(const struct records_answer *answer, const char *domain, const struct net_addr *sources,
                 size_t count, struct verdict *v);

struct resolver_facts {
    const struct records_answer *answer; /* of any name */
    int64_t took_us;
    const char *name, *servers;
};
void verdict_resolver(const struct resolver_facts *f, struct verdict *v);

#endif
