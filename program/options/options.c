/* The table of options: every key, its type, default, range and meaning. Nothing else in the program knows a
 * key's name; what is read here goes on as plain fields of struct options. */
#include "options.h"

#include "clock.h"

#define MS(n)           ((n)*US_PER_MS)
#define SEC(n)          ((n)*US_PER_SEC)
#define DAYS(n)         SEC((int64_t)(n)*86400)
#define KB(n)           (INT64_C(n) << 10)
#define MB(n)           (INT64_C(n) << 20)
#define GB(n)           (INT64_C(n) << 30)

#define AT(field)       .offset = offsetof(struct options, field)
#define PROVIDER(field) .offset = offsetof(struct option_provider, field)
#define SOURCE(field)   .offset = offsetof(struct option_source, field)
#define DKIM(field)     .offset = offsetof(struct option_dkim, field)
#define RANGE(a, b)     .least = (a), .most = (b)

static const char *const tls_words[] = {"off", "opportunistic", "required", NULL};
static const char *const by_words[] = {"provider", "site", NULL};
static const char *const proxy_words[] = {"none", "haproxy", "socks5", NULL};
static const char *const uncertain_words[] = {"resend", "hold", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug", "off", NULL};

static const struct option provider_fields[] = {
    {"name", OPTION_STRING, PROVIDER(name), .unset = "must be given", .sample = "google",
     .help =
         "What reports and metrics call it. With the name of a built-in profile what is not given here is "
         "that profile's (`tsubame providers` lists them); `other` is whoever nobody knows."},
    {"mx", OPTION_STRINGS, PROVIDER(mx), .unset = "that of the built-in profile, else it must be given",
     RANGE(1, 64), .sample = "[.google.com, .googlemail.com]",
     .help =
         "Its mail exchangers: .google.com stands for all whose names end so, mx.example.com for this one."},
    {"by", OPTION_ENUM, PROVIDER(by), "provider", .words = by_words,
     .help = "provider: all its exchangers share their limits. site: each set of exchangers has servers and "
             "limits "
             "of its own."},
    {"tls", OPTION_ENUM, PROVIDER(tls), "@tls.mode", .words = tls_words,
     .help = "As tls.mode, for this provider."},
    {"bdat", OPTION_BOOL, PROVIDER(bdat), "@deliver.bdat", .help = "As deliver.bdat, for this provider."},
    {"limits.connections", OPTION_INT, PROVIDER(limits.connections), "@limits.connections", RANGE(0, 10000),
     .help = "As the key of the same name, for this provider."},
    {"limits.messages_per_connection", OPTION_INT, PROVIDER(limits.messages_per_connection),
     "@limits.messages_per_connection", RANGE(0, 1000000),
     .help = "As the key of the same name, for this provider."},
    {"limits.messages_per_second", OPTION_INT, PROVIDER(limits.messages_per_second),
     "@limits.messages_per_second", RANGE(0, 1000000),
     .help = "As the key of the same name, for this provider."},
    {"limits.connections_per_minute", OPTION_INT, PROVIDER(limits.connections_per_minute),
     "@limits.connections_per_minute", RANGE(0, 1000000),
     .help = "As the key of the same name, for this provider."},
};

static const struct option source_fields[] = {
    {"name", OPTION_STRING, SOURCE(name), .unset = "its address", .sample = "outbound-1",
     .help = "What reports and metrics call it."},
    {"address", OPTION_ADDRESS, SOURCE(address), .unset = "the system chooses", .sample = "192.0.2.1",
     .help = "The local address that mail goes out from. With a proxy: the address of the proxy's machine."},
    {"helo", OPTION_DOMAIN, SOURCE(helo), .unset = "deliver.helo", .sample = "out1.example.com",
     .help =
         "The name given in EHLO. Receivers expect that it leads to the address and the address back to it."},
    {"proxy.protocol", OPTION_ENUM, SOURCE(proxy.protocol), "none", .words = proxy_words, .sample = "haproxy",
     .help =
         "For a source on another machine, its connections go through a proxy there. haproxy: PROXY "
         "protocol, "
         "version 2, which tells the proxy both the source's address and the receiver's. socks5: SOCKS5 (RFC "
         "1928), which tells it the receiver's; what it sends from is its own affair. See docs/sources.md."},
    {"proxy.address", OPTION_ENDPOINT, SOURCE(proxy.address), .unset = "there is no proxy",
     .sample = "192.0.2.9:5000", .help = "Where the proxy listens."},
    {"proxy.user", OPTION_STRING, SOURCE(proxy.user), .unset = "without a log-in", .sample = "tsubame",
     .help = "Logs in to a SOCKS5 proxy with this name and the password of proxy.password_file (RFC 1929)."},
    {"proxy.password_file", OPTION_PATH, SOURCE(proxy.password_file), .unset = "without a log-in",
     .sample = "proxy.password",
     .help = "A file with the password, in its first line. It is read at the start and shown nowhere."},
};

static const struct option dkim_fields[] = {
    {"domain", OPTION_DOMAIN, DKIM(domain), .unset = "must be given", .sample = "example.com",
     .help = "The domain that signs (d=). It signs for From addresses at it and below it, so that the "
             "signature aligns for DMARC; the key whose domain is nearest to the From domain signs."},
    {"selector", OPTION_DOMAIN, DKIM(selector), .unset = "must be given", .sample = "s2026",
     .help = "The selector (s=): the public key is published at SELECTOR._domainkey.DOMAIN."},
    {"key_file", OPTION_PATH, DKIM(key_file), .unset = "must be given", .sample = "dkim.pem",
     .help =
         "The private key, PEM: RSA or Ed25519. `tsubame dkim-key` makes one and shows its DNS record. Where "
         "both kinds are valid a mail carries both signatures."},
    {"from", OPTION_TIME, DKIM(from), .unset = "it always has been valid", .sample = "2026-07-01T00:00:00Z",
     .help = "The key signs from this time on. Of several valid keys of one domain and kind the one with the "
             "latest time signs."},
    {"until", OPTION_TIME, DKIM(until), .unset = "it stays valid", .sample = "2027-01-15T00:00:00Z",
     .help = "The key signs before this time."},
    {"any_from", OPTION_BOOL, DKIM(any_from), "false",
     .help = "Signs mail whose From domain no key is for, too. Such a signature does not align for DMARC, "
             "but names "
             "who sends."},
};

#define FIELDS(f, type) .fields = (f), .field_count = sizeof(f) / sizeof(f)[0], .record_size = sizeof(type)

static const struct option table[] = {
    {"store.path", OPTION_PATH, AT(store.path), "tsubame-data",
     .help = "The folder of queue, ledger and history. Made when it is not there. One program at a time "
             "works on it."},
    {"store.map_size", OPTION_SIZE, AT(store.map_size), "64g", RANGE(MB(16), GB(16384)),
     .help = "The most that queue and ledger may grow to. Address space only: disk is used as needed."},
    {"store.reserve", OPTION_SIZE, AT(store.reserve), "64m", RANGE(MB(1), GB(1024)),
     .help = "Space on the disk that new campaigns leave free, so that what is under way can be brought to "
             "an end."},

    {"dns.servers", OPTION_ADDRESSES, AT(dns.servers), .unset = "those of /etc/resolv.conf", RANGE(0, 8),
     .port = 53, .help = "The resolvers to ask: addresses, each with a port when it is not 53."},
    {"dns.trust_anchor", OPTION_PATH, AT(dns.trust_anchor), .unset = "DNSSEC is not checked",
     .help =
         "A file of DS or DNSKEY records, such as /usr/share/dns/root.key: DNSSEC is checked from there."},

    {"deliver.port", OPTION_INT, AT(deliver.port), "25", RANGE(1, 65535),
     .help = "Where mail exchangers listen."},
    {"deliver.bind", OPTION_ADDRESSES, AT(deliver.bind), .unset = "the system chooses", RANGE(0, 256),
     .help = "The local addresses that mail goes out from. For a HELO name of its own each, use sources "
             "instead."},
    {"deliver.helo", OPTION_DOMAIN, AT(deliver.helo), .unset = "the name of this host",
     .help = "The name given in EHLO."},
    {"deliver.bdat", OPTION_BOOL, AT(deliver.bdat), "true",
     .help = "Send contents by BDAT (RFC 3030) where the server offers it: up to eight mails of a connection "
             "are on their way before the first is answered. A host that offers it but mishandles it is "
             "spoken to with DATA for a day."},
    {"deliver.private_hosts", OPTION_BOOL, AT(deliver.private_hosts), "false",
     .help =
         "Whether mail exchangers may be on loopback, private, link-local and other addresses that are not "
         "of the public internet. Without it a domain that names no other has failed, so that a list cannot "
         "lead into your own network. For mail inside of one, and for tests."},
    {"deliver.workers", OPTION_INT, AT(deliver.workers), "0", RANGE(0, 64),
     .help = "Threads that render, sign and speak SMTP; 0 is one for each processor."},
    {"deliver.max_sessions", OPTION_INT, AT(deliver.max_sessions), "2000", RANGE(1, 200000),
     .help = "SMTP sessions open at a time. The limit of open files is raised to fit."},
    {"deliver.idle", OPTION_DURATION, AT(deliver.idle), "3s", RANGE(0, SEC(300)),
     .help = "How long a session without work is kept open: what comes meanwhile for the same mail "
             "exchangers, of "
             "any campaign, needs no new connection."},
    {"deliver.idle_sessions", OPTION_INT, AT(deliver.idle_sessions), "500", RANGE(0, 200000),
     .help = "Sessions kept open without work, at most. Those that have had none for the longest are ended "
             "first, and "
             "also when others need their place."},
    {"deliver.connect_timeout", OPTION_DURATION, AT(deliver.connect_timeout), "30s", RANGE(MS(10), SEC(600)),
     .help = "When to give up connecting to a mail exchanger and try the next."},
    {"deliver.timeout_scale", OPTION_NUMBER, AT(deliver.timeout_scale), "1", RANGE(1, 100000),
     .help = "Multiplies the time-outs of RFC 5321 (5 minutes for most replies, 10 after the content). For "
             "tests."},
    {"deliver.expire", OPTION_DURATION, AT(deliver.expire), "5d", RANGE(SEC(1), DAYS(60)),
     .help = "How long after it became ready a campaign's mail is tried. What is pending then has expired."},
    {"deliver.uncertain", OPTION_ENUM, AT(deliver.uncertain), "resend", .words = uncertain_words,
     .help = "What is done with a mail whose end the receiver never answered: resend sends it again with the "
             "same "
             "Message-ID (few people get two copies), hold leaves it to you (few people get none)."},
    {"deliver.retry.first", OPTION_DURATION, AT(deliver.retry.first), "5m", RANGE(MS(100), DAYS(7)),
     .help = "The wait after a mail's first temporary refusal."},
    {"deliver.retry.most", OPTION_DURATION, AT(deliver.retry.most), "4h", RANGE(MS(100), DAYS(7)),
     .help = "The longest wait between two attempts."},
    {"deliver.retry.factor", OPTION_NUMBER, AT(deliver.retry.factor), "2", RANGE(1000, 10000),
     .help = "How much longer each wait is than the one before."},
    {"deliver.grace", OPTION_DURATION, AT(deliver.grace), "30s", RANGE(0, SEC(3600)),
     .help = "At the end (SIGTERM, Ctrl-C): how long mail on the wire may take to be answered."},
    {"sources", OPTION_RECORDS, AT(sources), .unset = "made of deliver.bind and deliver.helo", RANGE(0, 256),
     FIELDS(source_fields, struct option_source),
     .help = "The local addresses that mail goes out from, by name."},

    {"tls.mode", OPTION_ENUM, AT(tls.mode), "opportunistic", .words = tls_words,
     .help =
         "STARTTLS: off, opportunistic (used where offered, whatever the certificate), or required (a good "
         "certificate, else the mail waits)."},
    {"tls.ca_file", OPTION_PATH, AT(tls.ca_file), .unset = "those of the system",
     .help = "The certificates to trust, PEM."},

    {"limits.connections", OPTION_INT, AT(limits.connections), "0", RANGE(0, 10000),
     .help =
         "Never more connections at a time from one source to one provider; 0 is as many as it is learned "
         "to take. This and the next three hold for each provider that has none of its own."},
    {"limits.messages_per_connection", OPTION_INT, AT(limits.messages_per_connection), "0", RANGE(0, 1000000),
     .help = "Never more messages in a connection; 0 is as learned."},
    {"limits.messages_per_second", OPTION_INT, AT(limits.messages_per_second), "0", RANGE(0, 1000000),
     .help = "Never more messages a second from one source to one provider; 0 is as learned."},
    {"limits.connections_per_minute", OPTION_INT, AT(limits.connections_per_minute), "0", RANGE(0, 1000000),
     .help = "Never more new connections a minute from one source to one provider; 0 is as learned."},
    {"profiles", OPTION_BOOL, AT(profiles), "true",
     .help =
         "Large providers are known from the start: their mail exchangers, and with which limits to begin. "
         "false: only `providers` are; every other set of mail exchangers is its own provider."},
    {"providers", OPTION_RECORDS, AT(providers), .unset = "the built-in profiles", RANGE(0, 1024),
     FIELDS(provider_fields, struct option_provider),
     .help = "Receivers that are known by their mail exchangers, with limits that are never passed: within "
             "them it "
             "is learned what they take. They come before the built-in ones; of several that fit the one "
             "with the longest name counts."},

    {"replies.rules", OPTION_PATH, AT(replies.rules), .unset = "the built-in rules alone",
     .help =
         "A file of rules that say what receivers' replies mean, tried before the built-in ones. `tsubame "
         "classify-reply` tries it out."},

    {"dkim", OPTION_RECORDS, AT(dkim), .unset = "mail is not signed", RANGE(0, 1024),
     FIELDS(dkim_fields, struct option_dkim), .reload = true,
     .help =
         "The keys that sign, with the times between which they do: docs/dkim.md shows a rotation. The key "
         "files are read again with SIGHUP."},

    {"identity.message_id_domain", OPTION_DOMAIN, AT(identity.message_id_domain),
     .unset = "the domain of From", .help = "What stands behind the @ of Message-ID."},
    {"identity.return_path_domain", OPTION_DOMAIN, AT(identity.return_path_domain),
     .unset = "the From address is the return path",
     .help = "Return paths are made in this domain, one for each recipient, so that bounces say whom they "
             "are about."},

    {"attachments.folder", OPTION_PATH, AT(attachments.folder), .unset = "templates can't name such files",
     .help = "Files of single recipients, which a template names as `personal`, are read below this folder "
             "and nowhere else."},

    {"suppress.auto", OPTION_BOOL, AT(suppress.automatic), "true",
     .help =
         "Addresses that a receiver says for certain not to know come on the suppression list: nothing is "
         "sent to them again. So do those of suppress.after."},
    {"suppress.after", OPTION_INT, AT(suppress.after), "3", RANGE(0, 100),
     .help = "After so many campaigns in a row in which mail to an address failed for a reason of its own "
             "that is not certain to last (a full mailbox), it comes on the suppression list. A delivery "
             "counts anew. 0: never."},

    {"control.socket", OPTION_PATH, AT(control.socket), .unset = "control.sock in store.path",
     .help = "Where the command line reaches the server: a Unix socket."},
    {"control.mode", OPTION_MODE, AT(control.mode), "0660", RANGE(0, 0777),
     .help = "Its permissions. Besides, only root, the server's user and members of its group are answered."},

    {"metrics.listen", OPTION_LISTEN, AT(metrics.listen), "127.0.0.1:9725", .port = 9725,
     .help = "Where `serve` shows Prometheus metrics over HTTP (/metrics), or off."},

    {"history.keep", OPTION_DURATION, AT(history.keep), "0s", RANGE(0, DAYS(36500)), .reload = true,
     .help =
         "How long after its end a campaign's recipients, with all that became of each, are kept; 0 is for "
         "ever. The sums of the campaign stay. docs/retention.md tells what goes."},
    {"history.max_size", OPTION_SIZE, AT(history.max_size), "0", RANGE(0, GB(1024 * 1024)), .reload = true,
     .help =
         "The most that the recipients of all campaigns and the history may take on the disk; 0 is without "
         "limit. Above it the campaigns that ended first lose theirs; those under way never do."},
    {"history.pace", OPTION_DURATION, AT(history.pace), "1s", RANGE(MS(10), SEC(60)),
     .help = "The longest that finished work waits before the history has it. Reports see it at once all the "
             "same."},
    {"history.age", OPTION_DURATION, AT(history.age), "30s", RANGE(MS(10), SEC(3600)),
     .help = "The longest that outcomes of a chunk that is under way are gathered before they are written."},
    {"history.memory", OPTION_SIZE, AT(history.memory), "16m", RANGE(KB(64), GB(4)),
     .help = "The most memory that outcomes are gathered in."},

    {"log.level", OPTION_ENUM, AT(log.level), "info", .words = level_words, .reload = true,
     .help = "The least that is logged."},
    {"log.file", OPTION_PATH, AT(log.file), .unset = "standard error, which systemd's journal keeps",
     .reload = true,
     .help = "A file that `serve` appends its log to. SIGHUP opens it anew, as log rotation wants it."},
    {"log.outcomes", OPTION_BOOL, AT(log.outcomes), "false",
     .help = "A line for each outcome of each mail, at level info."},

    {"run.user", OPTION_STRING, AT(run.user), .unset = "whoever started it, but not root",
     .help = "Whom `serve` becomes, when root started it, after binding. To stay root, say root."},
    {"run.group", OPTION_STRING, AT(run.group), .unset = "the group of run.user",
     .help = "The group it takes then."},
};

_Static_assert(sizeof table / sizeof table[0] <= OPTION_MOST, "raise OPTION_MOST");

const struct option *options_table(size_t *count) {
    *count = sizeof table / sizeof table[0];
    return table;
}
