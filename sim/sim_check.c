/* `tsubame-sim check` */
#include "sim_commands.h"

int sim_check(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return 1;
}
