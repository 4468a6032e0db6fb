// The whole of LittleCMS that ImageDecoding sees: its pixel formats are macros that Swift does not import.
#ifndef BIFRONS_CLCMS_H
#define BIFRONS_CLCMS_H

#include <stddef.h>
#include <stdint.h>

/// How the bytes of a row spell a pixel before and after the conversion.
typedef enum __attribute__((enum_extensibility(closed))) {
    /// One byte to red, green, blue.
    BIFRONS_COLOUR_GRAY __attribute__((swift_name("gray"))),
    /// Red, green, blue to the same.
    BIFRONS_COLOUR_RGB __attribute__((swift_name("rgb"))),
    /// Red, green, blue to the same; the fourth byte stays what it is.
    BIFRONS_COLOUR_RGBA __attribute__((swift_name("rgba"))),
    /// Cyan, magenta, yellow, black, 255 being no ink, to red, green, blue.
    BIFRONS_COLOUR_INVERTED_CMYK __attribute__((swift_name("invertedCMYK"))),
} bifrons_colour_layout;

typedef struct bifrons_colour bifrons_colour;

/// The conversion from one ICC profile to another, by the perceptual intent and without black point compensation.
/// Any number of threads may use it at the same time. NULL: LittleCMS finds no way from one to the other.
bifrons_colour *_Nullable bifrons_colour_open(
    const uint8_t *_Nonnull from, size_t from_count, const uint8_t *_Nonnull to, size_t to_count,
    bifrons_colour_layout layout);
void bifrons_colour_close(bifrons_colour *_Nonnull colour);

/// Converts `count` pixels. `out` may be `in`.
void bifrons_colour_convert(
    const bifrons_colour *_Nonnull colour, const uint8_t *_Nonnull in, uint8_t *_Nonnull out, size_t count);

#endif
