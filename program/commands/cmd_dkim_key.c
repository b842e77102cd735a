/* tsubame dkim-key: makes a key, or shows the DNS record of one that is there. */
#include "address.h"
#include "command.h"
#include "dkim_check.h"
#include "dkim_key.h"
#include "jdoc.h"
#include "names_ask.h"
#include "options_inner.h"
#include "units.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STRING_MAX = 255 /* of a TXT record, RFC 1035 section 3.3.14 */, NAME_MAX_TEXT = 253 };

struct making {
    struct invocation *in;
    enum dkim_algorithm algorithm;
    unsigned bits;
    struct slice domain;
    const char *selector;
    const char *path;
    struct buf name, record; /* what is to be published */
};

static int take_names(struct making *m, struct arena *arena) {
    const char *domain = invocation_value(m->in, "domain");
    struct err err;
    m->selector = invocation_value(m->in, "selector");
    if (!domain || !m->selector)
        return command_complain(EXIT_USAGE, "dkim-key: give --domain and --selector (see `tsubame dkim-key "
                                            "--help`)");
    if (address_parse_domain(slice_of(domain), arena, &m->domain, &err))
        return command_complain(EXIT_USAGE, "--domain: %s", err.text);
    if (!options_domain_good(slice_of(m->selector)))
        return command_complain(EXIT_USAGE,
                                "--selector: expected letters, digits and hyphens such as s2026, got '%s'",
                                m->selector);
    buf_printf(&m->name, "%s._domainkey.%.*s", m->selector, SLICE_ARG(m->domain));
    if (m->name.len > NAME_MAX_TEXT)
        return command_complain(EXIT_USAGE, "--selector: with the domain the name is longer than 253 bytes");
    return EXIT_DONE;
}

static int take_kind(struct making *m) {
    const char *algorithm = invocation_value(m->in, "algorithm"), *bits = invocation_value(m->in, "bits");
    int64_t number = DKIM_BITS_USUAL;
    bool ed25519 = algorithm && strcmp(algorithm, "ed25519") == 0;
    if (algorithm && !ed25519 && strcmp(algorithm, "rsa") != 0)
        return command_complain(EXIT_USAGE, "--algorithm: expected rsa or ed25519, got '%s'", algorithm);
    if (bits && ed25519) return command_complain(EXIT_USAGE, "--bits: an Ed25519 key has its size");
    if (bits && (!units_int(slice_of(bits), &number) || number < 1024 || number > 4096))
        return command_complain(EXIT_USAGE, "--bits: expected a number from 1024 to 4096, got '%s'", bits);
    m->algorithm = ed25519 ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
    m->bits = (unsigned)number;
    return EXIT_DONE;
}

static int write_all(int fd, struct slice bytes) {
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return fsync(fd);
}

/* A file of its own, for the owner alone; never over another. */
static int write_key(const char *path, struct slice pem, struct err *err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_INPUT, "%s is there already, and a key is not written over", path);
    if (fd < 0) return err_errno(err, errno, "%s", path);
    int failed = write_all(fd, pem), errnum = errno;
    if (close(fd) && !failed) failed = -1, errnum = errno;
    if (!failed) return 0;
    unlink(path);
    return err_errno(err, errnum, "%s", path);
}

static int make(struct making *m, struct err *err) {
    struct buf pem;
    buf_init(&pem, 65536);
    int failed = dkim_key_generate(m->algorithm, m->bits, &pem, err);
    if (!failed) failed = write_key(m->path, buf_slice(&pem), err);
    if (pem.at) explicit_bzero(pem.at, pem.cap);
    buf_done(&pem);
    return failed;
}

static int read_record(struct making *m, struct err *err) {
    struct dkim_key *key = dkim_key_read_file(m->path, err);
    if (!key) return -1;
    m->algorithm = dkim_key_algorithm(key);
    m->bits = dkim_key_bits(key);
    int failed = dkim_key_record(key, &m->record, err);
    dkim_key_free(key);
    return failed;
}

/* The record in strings of at most 255 bytes, as a line or lines of a zone file. */
static void put_zone(const struct making *m, struct buf *out) {
    struct slice rest = buf_slice(&m->record);
    bool one = rest.len <= STRING_MAX;
    buf_put_slice(out, buf_slice(&m->name));
    buf_put_text(out, one ? ". IN TXT " : ". IN TXT (");
    while (rest.len) {
        size_t n = rest.len < STRING_MAX ? rest.len : STRING_MAX;
        buf_printf(out, "%s\"%.*s\"", one ? "" : "\n    ", (int)n, rest.at);
        rest = slice_skip(rest, n);
    }
    buf_put_text(out, one ? "\n" : " )\n");
}

static void put_configuration(const struct making *m, struct buf *out) {
    static const struct option path = {.key = "key_file", .type = OPTION_PATH};
    buf_printf(out, "  dkim:\n    - {domain: %.*s, selector: %s, key_file: ", SLICE_ARG(m->domain),
               m->selector);
    option_put_value(&path, &m->path, out);
    buf_put_text(out, "}\n");
}

static void put_text(const struct making *m, bool made, struct buf *out) {
    buf_put_text(out, "Publish this TXT record:\n\n  name   ");
    buf_put_slice(out, buf_slice(&m->name));
    buf_put_text(out, "\n  value  ");
    buf_put_slice(out, buf_slice(&m->record));
    buf_put_text(out, "\n\nIn a zone file:\n\n");
    put_zone(m, out);
    buf_printf(out, "\n%s. Once the record can be seen, sign with it:\n\n",
               made ? "The private key is in the file, for its owner alone"
                    : "The private key stays where it is");
    put_configuration(m, out);
}

static void put_json(const struct making *m, struct buf *out) {
    struct jdoc *o = jdoc_object();
    struct buf zone;
    buf_init(&zone, 65536);
    put_zone(m, &zone);
    jdoc_put_text(o, "domain", m->domain);
    jdoc_put_text(o, "selector", slice_of(m->selector));
    jdoc_put_text(o, "algorithm", slice_of(dkim_algorithm_kind(m->algorithm)));
    jdoc_put_number(o, "bits", m->bits);
    jdoc_put_text(o, "key_file", slice_of(m->path));
    jdoc_put_text(o, "name", buf_slice(&m->name));
    jdoc_put_text(o, "type", SLICE("TXT"));
    jdoc_put_text(o, "value", buf_slice(&m->record));
    struct jdoc *strings = jdoc_child_list(o, "strings");
    for (struct slice rest = buf_slice(&m->record); rest.len; rest = slice_skip(rest, STRING_MAX))
        jdoc_item_text(strings, slice_make(rest.at, rest.len < STRING_MAX ? rest.len : STRING_MAX));
    jdoc_put_text(o, "zone", buf_slice(&zone));
    jdoc_write(o, true, out);
    jdoc_free(o);
    buf_done(&zone);
}

static void warn(const struct making *m) {
    struct buf text;
    buf_init(&text, 8192);
    dkim_check_file(m->path, &text);
    if (text.len) command_complain(0, "warning: %.*s", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    if (m->algorithm == DKIM_RSA_SHA256 && m->bits < DKIM_BITS_USUAL)
        command_complain(0, "warning: %u bits are fewer than the %d that receivers expect of RSA", m->bits,
                         DKIM_BITS_USUAL);
}

/* The resolvers are those of the configuration, where there is one. */
static struct records_answer *look_up(struct making *m, int *code) {
    struct buf problems;
    struct err err;
    struct records_answer *answer = NULL;
    char name[NAME_MAX_TEXT + 1];
    buf_init(&problems, 1 << 20);
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(buf_slice(&m->name)));
    struct options *o = options_load(m->in->config, m->in->sets, m->in->set_count, &problems);
    struct slice first, rest = buf_slice(&problems);
    struct names_ask *names = o ? names_ask_open(o, &err) : NULL;
    if (!o && slice_cut(&rest, '\n', &first))
        *code = command_complain(EXIT_CONFIG, "%.*s", SLICE_ARG(first));
    else if (!names)
        *code = command_fail(&err);
    else if (!(answer = names_ask(names, name, DNS_TXT, NULL)))
        *code = command_complain(EXIT_FAILED, "out of memory");
    names_ask_close(names);
    options_free(o);
    buf_done(&problems);
    return answer;
}

static int tell_check(const struct making *m, enum dkim_published published, const struct verdict *v) {
    static const char *const words[] = {"published",      "other-key",       "revoked",       "testing",
                                        "no-dkim-record", "several-records", "not-published", "no-answer"};
    struct buf text;
    buf_init(&text, 65536);
    if (m->in->json) {
        struct jdoc *o = jdoc_object();
        jdoc_put_text(o, "name", buf_slice(&m->name));
        jdoc_put_bool(o, "published", published == DKIM_PUBLISHED);
        jdoc_put_text(o, "result", slice_of(words[published]));
        jdoc_put_text(o, "value", buf_slice(&m->record));
        jdoc_put_text(o, "seen", slice_of(v->seen));
        jdoc_write(o, true, &text);
        jdoc_free(o);
    } else {
        buf_printf(&text, "%s\n", v->seen);
        if (v->why[0]) buf_printf(&text, "%s\n\n", v->why);
        if (v->mend[0]) put_zone(m, &text);
    }
    int code = command_print(&text);
    buf_done(&text);
    if (code) return code;
    return published == DKIM_PUBLISHED || published == DKIM_PUBLISHED_TEST ? EXIT_DONE
           : published == DKIM_PUBLISHED_UNKNOWN                           ? EXIT_LATER
                                                                           : EXIT_FAILED;
}

static int check(struct making *m) {
    struct err err;
    int code = EXIT_DONE;
    struct verdict v;
    m->path = invocation_value(m->in, "check");
    if (read_record(m, &err)) return command_fail(&err);
    struct records_answer *answer = look_up(m, &code);
    if (!answer) return code;
    enum dkim_published published = dkim_published(answer, buf_slice(&m->record));
    char name[NAME_MAX_TEXT + 1];
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(buf_slice(&m->name)));
    verdict_dkim(published, answer, name, buf_slice(&m->record), &v);
    free(answer);
    return tell_check(m, published, &v);
}

static int work(struct making *m) {
    const char *out = invocation_value(m->in, "out"), *show = invocation_value(m->in, "show");
    struct buf text;
    struct err err;
    bool checks = invocation_has(m->in, "check");
    if (!!out + !!show + checks != 1)
        return command_complain(EXIT_USAGE,
                                "dkim-key: give --out FILE for a new key, --show FILE for one that is there, "
                                "or --check FILE to see whether its record is published");
    if ((show || checks) && (invocation_has(m->in, "algorithm") || invocation_has(m->in, "bits")))
        return command_complain(EXIT_USAGE, "--show, --check: the file says of what kind the key is");
    if (checks) return check(m);
    m->path = out ? out : show;
    if ((out && make(m, &err)) || read_record(m, &err)) return command_fail(&err);
    warn(m);
    buf_init(&text, 65536);
    if (m->in->json)
        put_json(m, &text);
    else
        put_text(m, out, &text);
    int code = command_print(&text);
    buf_done(&text);
    return code;
}

static int run(struct invocation *in) {
    struct making m = {.in = in};
    struct arena arena;
    arena_init(&arena, 4096);
    buf_init(&m.name, 1024);
    buf_init(&m.record, 8192);
    int code = take_names(&m, &arena);
    if (code == EXIT_DONE) code = take_kind(&m);
    if (code == EXIT_DONE) code = work(&m);
    buf_done(&m.name);
    buf_done(&m.record);
    arena_done(&arena);
    return code;
}

static const struct arg args[] = {
    {"domain", 'd', "DOMAIN", "the domain that signs (d=): that of From, or a parent of it"},
    {"selector", 's', "SELECTOR", "the name of the key under the domain (s=); a new one for each key"},
    {"algorithm", 'a', "KIND", "rsa (the default) or ed25519"},
    {"bits", 'b', "BITS", "of an RSA key, 1024 to 4096 (2048)"},
    {"out", 'o', "FILE", "make a key and write it here; a file that is there is not touched"},
    {"show", 0, "FILE", "show the record of this key instead"},
    {"check", 0, "FILE", "look up whether the record of this key is published"},
};

const struct command command_dkim_key = {
    .name = "dkim-key",
    .summary = "make a DKIM key and show the DNS record to publish",
    .text =
        "Writes the private key to a file that its owner alone may read, and prints the TXT record that\n"
        "receivers look for. Publish the record first, let the key sign when it can be seen everywhere.\n\n"
        "RSA of 2048 bits is what every receiver verifies. Ed25519 is small and fast, and some verify it:\n"
        "give a mail both signatures, never Ed25519 alone.\n",
    .examples = "  tsubame dkim-key --domain example.com --selector s2026 --out dkim.pem\n"
                "  tsubame dkim-key -d example.com -s e2026 --algorithm ed25519 --out dkim-ed25519.pem\n"
                "  tsubame dkim-key -d example.com -s s2026 --show dkim.pem --json\n"
                "  tsubame dkim-key -d example.com -s s2026 --check dkim.pem\n",
    .args = args,
    .arg_count = sizeof args / sizeof args[0],
    .json = true,
    .bare = true,
    .run = run,
};
