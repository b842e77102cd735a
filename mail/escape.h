/* Escaping for HTML, as Handlebars has it. */
#ifndef TSUBAME_ESCAPE_H
#define TSUBAME_ESCAPE_H

#include "slice.h"

/* The entity for what HTML takes for itself (& < > " ' ` =), or the empty slice. */
static inline struct slice escape_entity(char c) {
    switch (c) {
    case '&': return SLICE("&amp;");
    case '<': return SLICE("&lt;");
    case '>': return SLICE("&gt;");
    case '"': return SLICE("&quot;");
    case '\'': return SLICE("&#x27;");
    case '`': return SLICE("&#x60;");
    case '=': return SLICE("&#x3D;");
    default: return (struct slice){NULL, 0};
    }
}

#endif
