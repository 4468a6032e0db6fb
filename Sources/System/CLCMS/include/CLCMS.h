// The part of LittleCMS that ImageDecoding uses. Its pixel formats are macros that Swift cannot import.
#ifndef BIFRONS_CLCMS_H
#define BIFRONS_CLCMS_H

#include <stddef.h>
#include <stdint.h>

/// The layout of a pixel's bytes before and after the conversion.
typedef enum __attribute__((enum_extensibility(closed))) {
    /// One byte to red, green, blue.
    BIFRONS_COLOUR_GRAY __attribute__((swift_name("gray"))),
    /// Red, green, blue to the same.
    BIFRONS_COLOUR_RGB __attribute__((swift_name("rgb"))),
    /// Red, green, blue to the same; the fourth byte is not changed.
    BIFRONS_COLOUR_RGBA __attribute__((swift_name("rgba"))),
    /// Cyan, magenta, yellow, black, with 255 for no ink, to red, green, blue.
    BIFRONS_COLOUR_INVERTED_CMYK __attribute__((swift_name("invertedCMYK"))),
} bifrons_colour_layout;

typedef struct bifrons_colour bifrons_colour;

/// Creates the conversion from one ICC profile to another, by the perceptual intent and without black point
/// compensation. Any number of threads may use it at once. Returns NULL if LittleCMS cannot convert from one to the
/// other.
bifrons_colour *_Nullable bifrons_colour_open(
    const uint8_t *_Nonnull from, size_t from_count, const uint8_t *_Nonnull to, size_t to_count,
    bifrons_colour_layout layout);
void bifrons_colour_close(bifrons_colour *_Nonnull colour);

/// Converts `count` pixels. `out` may equal `in`.
void bifrons_colour_convert(
    const bifrons_colour *_Nonnull colour, const uint8_t *_Nonnull in, uint8_t *_Nonnull out, size_t count);

#endif
