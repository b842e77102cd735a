/* The made-up world's DNS server. "NAME.N.test" and "N.test" have one mail exchanger, "mN.test" at 127.0.7.N;
 * "A.B.two.test" has two, A before B, "A.B.equal.test" two of equal
 * preference; that of "wanders.test" is wherever wanders_to says; "nx.test", "null.test" and "broken.test"
 * are what they say. */
#include "test_world.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static size_t put_name(uint8_t *to, const char *name) {
    size_t at = 0;
    while (*name) {
        size_t n = strcspn(name, ".");
        to[at++] = (uint8_t)n;
        memcpy(to + at, name, n);
        at += n;
        name += n + (name[n] == '.');
    }
    to[at++] = 0;
    return at;
}

static size_t put_record(uint8_t *to, unsigned type, const void *data, size_t n) {
    const uint8_t head[] = {0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)n};
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, data, n);
    return sizeof head + n;
}

static size_t put_mx(uint8_t *to, unsigned preference, const char *host) {
    uint8_t data[128] = {0, (uint8_t)preference};
    return put_record(to, 15, data, 2 + put_name(data + 2, host));
}

/* The number before ".test", or before ".N.test"; 0 for none. */
static unsigned number_in(const char *name) {
    const char *end = strstr(name, ".test"), *at = end;
    if (!end) return 0;
    while (at > name && at[-1] != '.')
        at--;
    if (*at == 'm') at++;
    return (unsigned)strtoul(at, NULL, 10);
}

static size_t answer_mx(const struct world *w, uint8_t *to, const char *name, unsigned *count) {
    unsigned first = 0, second = 0, preference = 20;
    char host[32];
    *count = 1;
    if (strcmp(name, "null.test") == 0) return put_mx(to, 0, "");
    char *dot;
    first = (unsigned)strtoul(name, &dot, 10); /* "1.2.two.test": the hosts 1 and 2 */
    if (dot > name && *dot == '.' && strstr(dot, ".two.test"))
        second = (unsigned)strtoul(dot + 1, NULL, 10);
    else if (dot > name && *dot == '.' && strstr(dot, ".equal.test"))
        second = (unsigned)strtoul(dot + 1, NULL, 10), preference = 10;
    else
        first = strcmp(name, "wanders.test") == 0 ? w->wanders_to : number_in(name);
    snprintf(host, sizeof host, "m%u.test", first);
    size_t n = put_mx(to, 10, host);
    if (!second) return n;
    *count = 2;
    snprintf(host, sizeof host, "m%u.test", second);
    return n + put_mx(to + n, preference, host);
}

/* Turns the question in place into its answer; returns its length. */
static size_t dns_answer(const struct world *w, uint8_t *packet, size_t n) {
    char name[256];
    size_t at = 12, to = 0;
    while (at < n && packet[at] && at + packet[at] < n && to + packet[at] + 1 < sizeof name) {
        if (to) name[to++] = '.';
        memcpy(name + to, packet + at + 1, packet[at]);
        to += packet[at];
        at += packet[at] + 1u;
    }
    name[to] = 0;
    unsigned type = packet[at + 2], count = 0, code = 0;
    size_t end = at + 5, more = 0;
    if (strcmp(name, "nx.test") == 0)
        code = 3;
    else if (strcmp(name, "broken.test") == 0 || w->dns_broken)
        code = 2;
    else if (type == 15 && name[0] != 'm')
        more = answer_mx(w, packet + end, name, &count);
    else if (type == 1 && name[0] == 'm' && number_in(name)) {
        const uint8_t address[] = {127, 0, 7, (uint8_t)number_in(name)};
        more = put_record(packet + end, 1, address, 4);
        count = 1;
    }
    packet[2] |= 0x80;
    packet[3] = (uint8_t)(0x80 | code);
    memset(packet + 6, 0, 6);
    packet[7] = (uint8_t)count;
    return end + more;
}

void *world_dns_run(void *ctx) {
    struct world *w = ctx;
    for (;;) {
        uint8_t packet[1024];
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(w->dns, packet, 512, 0, (struct sockaddr *)&from, &len);
        pthread_mutex_lock(&w->lock);
        bool ending = w->ending, silent = w->dns_silent;
        size_t size = n > 16 ? dns_answer(w, packet, (size_t)n) : 0;
        pthread_mutex_unlock(&w->lock);
        if (ending) return NULL;
        if (size && !silent) sendto(w->dns, packet, size, 0, (struct sockaddr *)&from, len);
    }
}
