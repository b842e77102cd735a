/* The scenario reader of the fake internet: any bytes give a scenario or an error in words; what is shown of
 * a good one reads back as the same; its names lead to addresses and back. */
#include "buf.h"
#include "sim_names.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_names(const struct sim_scenario *s) {
    char name[256];
    for (size_t i = 0; i < s->providers && i < 8; i++) {
        const struct sim_provider *p = &s->provider[i];
        size_t len = sim_domain_name(p, p->domains - 1, name);
        struct sim_name domain = sim_names_find(s, slice_make(name, len));
        if (domain.kind != SIM_NAME_DOMAIN) abort();
        for (uint32_t n = 0; n < sim_mx_count(&domain); n++) {
            uint32_t preference;
            struct sim_name mx = sim_mx(&domain, n, &preference);
            struct sim_name at = sim_names_at(s, sim_names_address(&mx));
            if (at.kind != SIM_NAME_HOST || at.provider != mx.provider) abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sim_scenario s, again;
    struct err err = {0};
    struct buf shown, twice;
    buf_init(&shown, 64 << 20);
    buf_init(&twice, 64 << 20);
    int rc = sim_scenario_parse(&s, slice_make(data, size), "t.yaml", &err);
    if (rc && !*err.text) abort();
    if (rc == 0) {
        try_names(&s);
        sim_scenario_print(&s, &shown);
        if (!shown.failed && shown.len < 4 << 20) {
            if (sim_scenario_parse(&again, buf_slice(&shown), "shown", &err)) abort();
            sim_scenario_print(&again, &twice);
            if (!slice_eq(buf_slice(&shown), buf_slice(&twice))) abort();
            sim_scenario_done(&again);
        }
    }
    sim_scenario_done(&s);
    buf_done(&shown);
    buf_done(&twice);
    return 0;
}
