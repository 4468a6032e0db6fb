// Replaces ICU's data (calendars, collations and names of all locales: 34 MB) in a statically linked executable.
// SQLite's Swift library pulls in all of Foundation, which refers to the data by this name, but the router uses nothing
// of Foundation that depends on a language. ICU calls this stub data: a package without entries, so that every lookup
// finds nothing. See "ICU Data" in ICU's documentation, and its source/stubdata/stubdata.cpp.
//
// The number in the name is the toolchain's ICU version. With another version this file only fails to make the
// executable smaller.

#include <stdint.h>

struct icu_data_package {
    uint16_t header_bytes;
    uint8_t magic[2];
    uint16_t info_bytes;
    uint16_t reserved;
    uint8_t is_big_endian;
    uint8_t charset_family;
    uint8_t character_bytes;
    uint8_t reserved_byte;
    uint8_t format[4];
    uint8_t format_version[4];
    uint8_t data_version[4];
    uint8_t padding[8];
    uint32_t entries;
};

extern const struct icu_data_package icudt76_dat;

_Alignas(16) const struct icu_data_package icudt76_dat = {
    .header_bytes = 32,
    .magic = {0xda, 0x27},
    .info_bytes = 20,
    .character_bytes = 2,
    .format = {'T', 'o', 'C', 'P'},
    .format_version = {1},
};
