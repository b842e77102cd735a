/* The only place that knows libidn2. */
#include "idn.h"

#include <idn2.h>

int idn_to_ascii(struct slice domain, char out[IDN_DOMAIN_MAX + 1], const char **why) {
    uint8_t name[IDN_DOMAIN_MAX + 1];
    uint8_t *result = NULL;
    *why = "too long";
    if (domain.len > IDN_DOMAIN_MAX) return -1;
    memcpy(name, domain.at, domain.len);
    name[domain.len] = 0;
    int rc = idn2_lookup_u8(name, &result, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc != IDN2_OK) {
        *why = idn2_strerror(rc);
        return -1;
    }
    size_t n = strlen((char *)result);
    if (n <= IDN_DOMAIN_MAX) memcpy(out, result, n + 1);
    idn2_free(result);
    return n <= IDN_DOMAIN_MAX ? (int)n : -1;
}
