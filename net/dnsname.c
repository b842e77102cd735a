/* Domain names as text: what may be asked for. Pure. */
#include "dnsname.h"

bool dns_name_clean(struct slice domain, char out[DNS_NAME_MAX + 1]) {
    if (domain.len > 0 && domain.at[domain.len - 1] == '.') domain.len--;
    if (domain.len == 0 || domain.len > DNS_NAME_MAX) return false;
    size_t label = 0;
    for (size_t i = 0; i < domain.len; i++) {
        char c = ascii_lower(domain.at[i]);
        out[i] = c;
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
        } else if (!(ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_') || ++label > 63) {
            return false;
        }
    }
    out[domain.len] = '\0';
    return label > 0;
}

bool dns_name_is_number(const char *name) {
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    for (const char *c = last; *c; c++)
        if (!ascii_digit(*c)) return false;
    return true;
}
