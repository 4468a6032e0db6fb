// The files that the gateway serves, as part of the executable: it runs from anywhere and reads none of them at run time.

#ifndef CPAGES_H
#define CPAGES_H

#include <stddef.h>

struct bifrons_page {
    const char *name;
    const unsigned char *bytes;
    size_t count;
};

/// One for each file of Sources/Gateway/Resources.
const struct bifrons_page *bifrons_page_table(void);
extern const size_t bifrons_page_count;

#endif
