// The files that the gateway serves, embedded in the executable, so that it runs anywhere and reads none of them at run
// time.

#ifndef CPAGES_H
#define CPAGES_H

#include <stddef.h>

struct bifrons_page {
    const char *name;
    const unsigned char *bytes;
    size_t count;
};

/// Returns the table of pages, one for each file in Sources/Gateway/Resources.
const struct bifrons_page *bifrons_page_table(void);
extern const size_t bifrons_page_count;

#endif
