#include "version.h"

#ifndef TSUBAME_VERSION
#error "TSUBAME_VERSION comes from the build"
#endif

const char tsubame_version[] = TSUBAME_VERSION;
