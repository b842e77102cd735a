/* The machine: limits, memory, clock, disk, permissions. */
#include "verdict.h"

#include <string.h>

typedef unsigned long long ull;

void verdict_files(const struct files_facts *f, struct verdict *v) {
    ull need = f->sessions + f->beside;
    if (f->hard >= need) {
        verdict_set(v, VERDICT_GOOD,
                    "%llu open files are allowed, %llu are needed for deliver.max_sessions: %llu",
                    (ull)f->hard, need, (ull)f->sessions);
        return;
    }
    verdict_set(v, VERDICT_WRONG, "%llu open files are allowed here, deliver.max_sessions: %llu needs %llu",
                (ull)f->hard, (ull)f->sessions, need);
    verdict_why(v, "The server does not start with fewer.");
    verdict_mend(
        v,
        "In the systemd unit: LimitNOFILE=%llu (in a shell: ulimit -Hn %llu), or in the configuration: "
        "deliver.max_sessions: %llu",
        need, need, (ull)(f->hard > f->beside ? f->hard - f->beside : 1));
}

void verdict_memory(const struct memory_facts *f, struct verdict *v) {
    uint64_t need = (uint64_t)MEMORY_BASE + f->sessions * MEMORY_A_SESSION + 2 * f->gathering;
    if (f->available == 0) {
        verdict_set(v, VERDICT_UNCHECKED, "/proc/meminfo could not be read");
    } else if (f->available >= need) {
        verdict_set(v, VERDICT_GOOD,
                    "%llu MB are available, about %llu MB may be needed with all sessions open",
                    (ull)(f->available >> 20), (ull)(need >> 20));
    } else {
        verdict_set(v, VERDICT_ADVICE,
                    "%llu MB are available, about %llu MB may be needed with all %llu sessions open",
                    (ull)(f->available >> 20), (ull)(need >> 20), (ull)f->sessions);
        verdict_why(v, "A machine that swaps sends slowly, and the kernel may end the server.");
        verdict_mend(v, "More memory, or in the configuration a lower deliver.max_sessions");
    }
}

void verdict_ports(const struct ports_facts *f, struct verdict *v) {
    uint64_t ports = f->high > f->low ? f->high - f->low + 1 : 0;
    uint64_t each = f->sources ? (f->sessions + f->sources - 1) / f->sources : f->sessions;
    if (ports == 0) {
        verdict_set(v, VERDICT_UNCHECKED, "net.ipv4.ip_local_port_range could not be read");
        return;
    }
    if (each * 2 <= ports) {
        verdict_set(v, VERDICT_GOOD, "%llu local ports for %llu sessions from each source", (ull)ports,
                    (ull)each);
        return;
    }
    verdict_set(v, each > ports ? VERDICT_WRONG : VERDICT_ADVICE,
                "%llu local ports (%u to %u) for %llu sessions from each source", (ull)ports, f->low, f->high,
                (ull)each);
    verdict_why(v,
                "A session takes a port, and for a minute after its end; to one receiver there are no more.");
    verdict_mend(
        v,
        "sysctl -w net.ipv4.ip_local_port_range=\"10240 65535\" (and a line in /etc/sysctl.d), more sources, "
        "or a lower deliver.max_sessions");
}

void verdict_workers(int64_t workers, unsigned processors, struct verdict *v) {
    if (workers == 0 || workers <= processors) {
        verdict_set(v, VERDICT_GOOD, "%u processors, %lld workers", processors,
                    (long long)(workers ? workers : processors));
        return;
    }
    verdict_set(v, VERDICT_ADVICE, "%lld workers on %u processors", (long long)workers, processors);
    verdict_why(v, "Workers never wait for anything but the processor: more of them only cost memory.");
    verdict_mend(v, "In the configuration: deliver.workers: 0");
}

void verdict_clock(const struct clock_facts *f, struct verdict *v) {
    if (!f->known) {
        verdict_set(v, VERDICT_UNCHECKED, "the kernel does not say");
    } else if (f->synchronised) {
        verdict_set(v, VERDICT_GOOD, "synchronised");
    } else {
        verdict_set(v, VERDICT_ADVICE, "the kernel's clock is not synchronised");
        verdict_why(
            v,
            "Receivers compare Date and the time of a signature with theirs; DKIM keys begin and end by it.");
        verdict_mend(
            v, "apt-get install systemd-timesyncd && timedatectl set-ntp true (in a container: on its host)");
    }
}

enum { CLOCK_BACK_S = 120 };

void verdict_clock_back(const struct clock_facts *f, struct verdict *v) {
    char now[CLOCK_TEXT_MAX], newest[CLOCK_TEXT_MAX];
    clock_rfc3339(f->now, now);
    if (f->newest == 0 || f->now + CLOCK_BACK_S * US_PER_SEC >= f->newest) {
        verdict_set(v, VERDICT_GOOD, "it is %.19sZ", now);
        return;
    }
    clock_rfc3339(f->newest, newest);
    verdict_set(v, VERDICT_WRONG, "it is %.19sZ here, but %s is of %.19sZ", now, f->newest_is, newest);
    verdict_why(
        v,
        "The clock has gone back: what is to be tried again waits until that time comes once more, and mails "
        "carry a wrong Date.");
    verdict_mend(v, "Set the clock: timedatectl set-ntp true");
}

void verdict_disk(const struct disk_facts *f, struct verdict *v) {
    uint64_t need = f->reserve * (f->reserve_held ? 1 : 2), free_mb = f->free_bytes >> 20;
    if (f->free_bytes < need) {
        verdict_set(v, VERDICT_WRONG, "%llu MB are free at %s, %llu MB are needed (store.reserve: %lluk)",
                    (ull)free_mb, f->path, (ull)(need >> 20), (ull)(f->reserve >> 10));
        verdict_why(v,
                    "New campaigns are refused; with nothing left at all sending stops until there is room.");
        verdict_mend(v, "Make room, have old recipients removed (tsubame prune --older-than 400d --dry-run; "
                        "history.keep), or give the store a larger disk (store.path)");
    } else if (f->free_bytes < 4 * need) {
        verdict_set(v, VERDICT_ADVICE, "%llu MB are free at %s, below %llu MB campaigns are refused",
                    (ull)free_mb, f->path, (ull)(need >> 20));
        verdict_why(v, "A campaign of a million recipients takes some hundred megabytes.");
        verdict_mend(v, "tsubame prune --older-than 400d --dry-run shows what could go");
    } else {
        verdict_set(v, VERDICT_GOOD, "%llu MB are free at %s", (ull)free_mb, f->path);
    }
}

void verdict_inodes(const struct disk_facts *f, struct verdict *v) {
    if (f->inodes == 0) {
        verdict_set(v, VERDICT_GOOD, "the file system does not count them");
    } else if (f->free_inodes < 1000) {
        verdict_set(v, VERDICT_WRONG, "%llu inodes are free at %s", (ull)f->free_inodes, f->path);
        verdict_why(v, "Without a free inode no file can be made, however much space there is.");
        verdict_mend(v, "df -i %s shows it: delete files, or make the file system anew with more inodes",
                     f->path);
    } else {
        verdict_set(v, VERDICT_GOOD, "%llu inodes are free", (ull)f->free_inodes);
    }
}

/* statfs(2) */
#define TMPFS UINT64_C(0x01021994)
#define RAMFS UINT64_C(0x858458f6)
#define NFS   UINT64_C(0x6969)
#define CIFS  UINT64_C(0xff534d42)
#define SMB2  UINT64_C(0xfe534d42)
#define FUSE  UINT64_C(0x65735546)
#define V9FS  UINT64_C(0x01021997)

void verdict_filesystem(uint64_t magic, const char *path, struct verdict *v) {
    const struct {
        uint64_t magic;
        const char *name;
        bool volatile_;
    } bad[] = {{TMPFS, "tmpfs", true}, {RAMFS, "ramfs", true}, {NFS, "NFS", false}, {CIFS, "CIFS", false},
               {SMB2, "SMB", false},   {FUSE, "FUSE", false},  {V9FS, "9p", false}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if ((magic & UINT32_MAX) != (bad[i].magic & UINT32_MAX)) continue;
        verdict_set(v, bad[i].volatile_ ? VERDICT_WRONG : VERDICT_ADVICE, "%s is on %s", path, bad[i].name);
        verdict_why(
            v, bad[i].volatile_
                   ? "It is memory: after a restart nobody knows who got what, and all would be sent again."
                   : "Locks and syncing over a network are not what the store relies on.");
        verdict_mend(v, "In the configuration: store.path: a folder on a local disk (ext4, xfs)");
        return;
    }
    verdict_set(v, VERDICT_GOOD, "a local file system");
}

void verdict_map(const struct map_facts *f, struct verdict *v) {
    if (f->map_size == 0 || f->used < f->map_size / 10 * 8) {
        verdict_set(v, VERDICT_GOOD, "the ledger takes %llu MB, %llu MB are the most (store.map_size)",
                    (ull)(f->used >> 20), (ull)(f->map_size >> 20));
        return;
    }
    verdict_set(v, VERDICT_ADVICE, "the ledger takes %llu of %llu MB (store.map_size)", (ull)(f->used >> 20),
                (ull)(f->map_size >> 20));
    verdict_why(v, "It is enlarged when it is full, which holds up all readers for a moment.");
    verdict_mend(v, "In the configuration: store.map_size: %llug (address space only)",
                 (ull)(f->map_size >> 29) + 1);
}

static bool may(const struct access_facts *f, unsigned bits) {
    unsigned granted = f->uid == f->user ? f->mode >> 6 : f->is_in_group ? f->mode >> 3 : f->mode;
    return f->user == 0 || (granted & bits) == bits;
}

void verdict_access(const struct access_facts *f, struct verdict *v) {
    unsigned need = 4u | (f->needs_write ? 2u : 0) | (f->folder ? 1u : 0);
    if (!may(f, need)) {
        verdict_set(v, VERDICT_WRONG, "%s (%s) can't be %s by %s (mode %04o, owner %u:%u)", f->path, f->what,
                    f->needs_write ? "written" : "read", f->user_name, f->mode & 07777, f->uid, f->gid);
        verdict_why(v, "The server runs as that user.");
        verdict_mend(v, "chown %s %s && chmod u+%s %s", f->user_name, f->path, f->folder ? "rwx" : "r",
                     f->path);
    } else if (f->mode & 02) {
        verdict_set(v, VERDICT_WRONG, "%s (%s) can be written by everybody here (mode %04o)", f->path,
                    f->what, f->mode & 07777);
        verdict_why(v, "Anybody on this machine could put something of theirs in its place.");
        verdict_mend(v, "chmod o-w %s", f->path);
    } else if (f->secret && (f->mode & 04)) {
        verdict_set(v, VERDICT_WRONG, "%s (%s) can be read by everybody here (mode %04o)", f->path, f->what,
                    f->mode & 07777);
        verdict_why(v, "It is a secret: who has it can sign mail in your name, or read your recipients.");
        verdict_mend(v, "chmod o-rwx %s", f->path);
    } else {
        verdict_set(v, VERDICT_GOOD, "%s: mode %04o, owner %u:%u", f->path, f->mode & 07777, f->uid, f->gid);
    }
}
