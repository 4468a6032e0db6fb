#include "CPages.h"

// A file more is two lines more; a test compares the table with the folder.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char openapi_json[] = {
#embed "../Gateway/Resources/openapi.json"
};

static const struct bifrons_page bifrons_pages[] = {
    {"openapi.json", openapi_json, sizeof openapi_json},
};

const size_t bifrons_page_count = sizeof bifrons_pages / sizeof bifrons_pages[0];

const struct bifrons_page *bifrons_page_table(void) {
    return bifrons_pages;
}
