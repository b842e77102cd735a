/* `tsubame-sim run`: wires the loop, the name server and the hosts, and ends on SIGTERM or SIGINT with the
 * totals. */
#include "sim_commands.h"
#include "sim_dnsd.h"
#include "sim_keep.h"
#include "sim_server.h"
#include "sim_tell.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char sim_run_help[] =
    "usage: tsubame-sim run SCENARIO.yaml [OPTIONS]\n"
    "\n"
    "Plays the internet of a scenario on loopback addresses: a name server on 127.0.0.1, and SMTP hosts on\n"
    "127.x.y.z, all on one port. Ends on SIGTERM or SIGINT and prints totals.\n"
    "\n"
    "  --seed N          instead of the scenario's seed\n"
    "  --truth FILE      appends what was accepted and refused (tab-separated)\n"
    "  --accepted-only   leaves refusals and faults out of it\n"
    "  --sha256          hashes contents with SHA-256 instead of XXH64\n"
    "  --smtp-port P     default 2525; 0 takes a free one\n"
    "  --dns-port P      default 5353; 0 takes a free one\n"
    "  --dns-address A   default 127.0.0.1; another of 127.0.0.0/8 where port 53 is to be had, for mailers "
    "that\n"
    "                    know no other port\n"
    "  --tls-dir DIR     writes ca.pem there: the authority that signed the hosts' certificates\n"
    "  --ready-file FILE is written when all stands: dns=ADDRESS:PORT and smtp=PORT, a line each\n"
    "  --ready-fd N      the same to an open descriptor, which is then closed\n"
    "  --speed X         instead of the scenario's: simulated time runs X times as fast\n"
    "  --stats FILE      appends counts and the use of limits as JSON lines, one for each active provider\n"
    "  --stats-every S   ... every S simulated seconds (default 10), and of the whole run at the end\n"
    "  --keep-mail DIR   keeps accepted mail in a maildir\n"
    "  --json            prints the totals as JSON\n"
    "\n"
    "On SIGUSR1 it shows the counts so far, and appends them to the --stats file.\n"
    "\n"
    "example:\n"
    "  tsubame-sim run sim/scenarios/demo.yaml --truth truth.tsv --tls-dir tls --ready-file ready\n"
    "  dig -p 5353 @127.0.0.1 gmail.test MX\n";

struct options {
    const char *scenario, *truth, *tls_dir, *ready_file, *stats, *keep;
    uint64_t seed, smtp_port, dns_port, ready_fd, stats_every;
    struct in_addr dns_address;
    double speed; /* 0: the scenario's */
    bool has_seed, accepted_only, sha256, json;
};

struct program {
    struct sim_scenario scenario;
    struct sim_world world;
    struct sim_loop loop;
    struct sim_tls_maker *tls;
    struct sim_server *server;
    struct sim_dnsd *dns;
    struct sim_watch signals;
    struct sim_teller teller;
    struct sim_keep *keep;
    struct err err;
    bool failed;
};

static struct program *the_program; /* for the signal watch's call */

int sim_option_number(const char *option, const char *text, uint64_t most, uint64_t *value) {
    if (slice_to_u64(slice_of(text), value) && *value <= most) return 0;
    fprintf(stderr, "tsubame-sim: %s must be a whole number from 0 to %llu, not '%s'\n", option,
            (unsigned long long)most, text);
    return -1;
}

static int take_speed(struct options *o, const char *text) {
    char *end;
    o->speed = strtod(text, &end);
    if (ascii_digit(*text) && !*end && o->speed >= 0.01 && o->speed <= 100000) return 0;
    fprintf(stderr, "tsubame-sim: --speed must be a number from 0.01 to 100000, not '%s'\n", text);
    return -1;
}

static int take_address(struct options *o, const char *text) {
    if (inet_pton(AF_INET, text, &o->dns_address) == 1 && ntohl(o->dns_address.s_addr) >> 24 == 127) return 0;
    fprintf(stderr, "tsubame-sim: --dns-address must be an address of 127.0.0.0/8, not '%s'\n", text);
    return -1;
}

static int take_every(struct options *o, const char *text) {
    if (sim_option_number("--stats-every", text, 86400, &o->stats_every)) return -1;
    if (o->stats_every) return 0;
    fputs("tsubame-sim: --stats-every must be at least 1\n", stderr);
    return -1;
}

static int take_option(struct options *o, int c) {
    switch (c) {
    case 's': o->has_seed = true; return sim_option_number("--seed", optarg, UINT32_MAX, &o->seed);
    case 't': o->truth = optarg; return 0;
    case 'a': o->accepted_only = true; return 0;
    case '2': o->sha256 = true; return 0;
    case 'p': return sim_option_number("--smtp-port", optarg, 65535, &o->smtp_port);
    case 'd': return sim_option_number("--dns-port", optarg, 65535, &o->dns_port);
    case 'l': o->tls_dir = optarg; return 0;
    case 'r': o->ready_file = optarg; return 0;
    case 'f': return sim_option_number("--ready-fd", optarg, 1 << 20, &o->ready_fd);
    case 'j': o->json = true; return 0;
    case 'A': return take_address(o, optarg);
    case 'S': o->stats = optarg; return 0;
    case 'E': return take_every(o, optarg);
    case 'k': o->keep = optarg; return 0;
    case 'x': return take_speed(o, optarg);
    default: return -1;
    }
}

/* 0, the exit code + 1 when there is nothing to run. */
static int read_options(struct options *o, int argc, char **argv) {
    static const struct option names[] = {{"seed", required_argument, NULL, 's'},
                                          {"truth", required_argument, NULL, 't'},
                                          {"accepted-only", no_argument, NULL, 'a'},
                                          {"sha256", no_argument, NULL, '2'},
                                          {"smtp-port", required_argument, NULL, 'p'},
                                          {"dns-port", required_argument, NULL, 'd'},
                                          {"tls-dir", required_argument, NULL, 'l'},
                                          {"ready-file", required_argument, NULL, 'r'},
                                          {"ready-fd", required_argument, NULL, 'f'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"dns-address", required_argument, NULL, 'A'},
                                          {"stats", required_argument, NULL, 'S'},
                                          {"stats-every", required_argument, NULL, 'E'},
                                          {"keep-mail", required_argument, NULL, 'k'},
                                          {"speed", required_argument, NULL, 'x'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *o = (struct options){
        .smtp_port = 2525, .dns_port = 5353, .stats_every = 10, .dns_address.s_addr = htonl(INADDR_LOOPBACK)};
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (c == 'h') {
            fputs(sim_run_help, stdout);
            return 1;
        }
        if (take_option(o, c)) return 3;
    }
    if (optind + 1 != argc) {
        fputs(sim_run_help, stderr);
        return 3;
    }
    o->scenario = argv[optind];
    return 0;
}

static void on_signal(struct sim_watch *w, uint32_t events) {
    struct signalfd_siginfo info;
    (void)events;
    while (read(w->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1)
            sim_teller_now(&the_program->teller, stderr);
        else
            the_program->loop.stop = true;
    }
}

static void on_turn(void *ctx) {
    struct program *p = ctx;
    if (sim_server_turn(p->server, &p->err)) {
        p->failed = true;
        p->loop.stop = true;
    }
}

static bool has_more(void *ctx) {
    return sim_server_more(((struct program *)ctx)->server);
}

static void raise_limits(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0) return;
    struct rlimit most = {1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_NOFILE, &most) == 0) return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static int watch_signals(struct program *p) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    p->signals = (struct sim_watch){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal};
    if (p->signals.fd < 0) return err_errno(&p->err, errno, "signalfd");
    return sim_loop_watch(&p->loop, &p->signals, false, &p->err);
}

static int say_ready(const struct program *p, const struct options *o, struct err *err) {
    char text[128], part[4096], address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &o->dns_address, address, sizeof address);
    int n = snprintf(text, sizeof text, "dns=%s:%u\nsmtp=%u\n", address, sim_dnsd_port(p->dns),
                     sim_server_port(p->server));
    fprintf(stderr, "tsubame-sim: DNS on %s port %u, SMTP on 127.0.0.0/8 port %u, %zu providers\n", address,
            sim_dnsd_port(p->dns), sim_server_port(p->server), p->scenario.providers);
    if (o->ready_fd) {
        if (write((int)o->ready_fd, text, (size_t)n) != n) return err_errno(err, errno, "--ready-fd");
        close((int)o->ready_fd);
    }
    if (!o->ready_file) return 0;
    int len = snprintf(part, sizeof part, "%s.part", o->ready_file);
    if (len < 0 || (size_t)len >= sizeof part) return err_set(err, ERR_INPUT, "--ready-file: too long");
    FILE *file = fopen(part, "we");
    if (!file) return err_errno(err, errno, "%s", part);
    fputs(text, file);
    if (fclose(file) != 0 || rename(part, o->ready_file) < 0)
        return err_errno(err, errno, "%s", o->ready_file);
    return 0;
}

static int start(struct program *p, const struct options *o) {
    raise_limits();
    if (sim_scenario_read(&p->scenario, o->scenario, &p->err)) return -1;
    uint64_t seed = o->has_seed ? o->seed : p->scenario.seed;
    if (o->speed > 0) p->scenario.speed = o->speed;
    if (sim_world_init(&p->world, &p->scenario, seed, &p->err)) return -1;
    p->world.sha256 = o->sha256;
    if (o->keep) {
        p->keep = sim_keep_open(o->keep, &p->err);
        if (!p->keep) return -1;
        sim_world_observe(&p->world, sim_keep_observer(p->keep));
    }
    if (sim_truth_open(&p->world.truth, o->truth, o->accepted_only, &p->err)) return -1;
    if (sim_loop_init(&p->loop, &p->err) || watch_signals(p)) return -1;
    p->tls = sim_tls_open(o->tls_dir, &p->err);
    if (!p->tls) return -1;
    p->server = sim_server_open(&p->loop, &p->world, p->tls, (uint16_t)o->smtp_port, &p->err);
    if (!p->server) return -1;
    p->dns = sim_dnsd_open(&p->loop, &p->world, ntohl(o->dns_address.s_addr), (uint16_t)o->dns_port, &p->err);
    if (!p->dns) return -1;
    if (sim_teller_open(&p->teller, &p->loop, &p->world, o->stats, (double)o->stats_every, &p->err))
        return -1;
    p->loop.turn = on_turn;
    p->loop.more = has_more;
    p->loop.ctx = p;
    return say_ready(p, o, &p->err);
}

static void finish(struct program *p) {
    if (sim_teller_close(&p->teller, p->failed ? NULL : &p->err)) p->failed = true;
    sim_dnsd_free(p->dns);
    sim_server_free(p->server);
    sim_tls_free(p->tls);
    if (sim_truth_close(&p->world.truth, p->failed ? NULL : &p->err)) p->failed = true;
    sim_keep_free(p->keep);
    sim_world_done(&p->world);
    sim_scenario_done(&p->scenario);
    sim_loop_done(&p->loop);
    if (p->signals.fd > 0) close(p->signals.fd);
}

int sim_run(int argc, char **argv) {
    struct options o;
    struct program p = {.world.truth.fd = -1, .loop.epoll = -1};
    int rc = read_options(&o, argc, argv);
    if (rc) return rc - 1;
    the_program = &p;
    p.failed = start(&p, &o) != 0;
    if (!p.failed) p.failed = sim_loop_run(&p.loop, &p.err) != 0 || p.failed;
    if (p.server) sim_tell_totals(&p.world, p.dns ? sim_dnsd_queries(p.dns) : 0, o.json);
    finish(&p);
    if (p.failed) fprintf(stderr, "tsubame-sim: %s\n", p.err.text);
    return p.failed ? 1 : 0;
}

const char sim_show_help[] = "usage: tsubame-sim scenario SCENARIO.yaml\n"
                             "\n"
                             "Checks a scenario and prints it with every default filled in.\n"
                             "\n"
                             "example:\n"
                             "  tsubame-sim scenario sim/scenarios/demo.yaml\n";

int sim_show(int argc, char **argv) {
    struct sim_scenario s;
    struct err err;
    struct buf out;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(sim_show_help, stdout);
        return 0;
    }
    if (argc != 2) {
        fputs("usage: tsubame-sim scenario SCENARIO.yaml\n", stderr);
        return 2;
    }
    int rc = sim_scenario_read(&s, argv[1], &err);
    buf_init(&out, 64 << 20);
    if (rc == 0) sim_scenario_print(&s, &out);
    fwrite(out.at, 1, out.len, stdout);
    if (rc) fprintf(stderr, "tsubame-sim: %s\n", err.text);
    buf_done(&out);
    sim_scenario_done(&s);
    return rc ? 1 : 0;
}
