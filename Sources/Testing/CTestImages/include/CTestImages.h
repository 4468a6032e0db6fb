// Encoders for tests: a JPEG encoder that can write every variant that ImageDecoding must read, and libwebp's own. Not
// for production, because libjpeg ends the process on an error.
#ifndef BIFRONS_CTESTIMAGES_H
#define BIFRONS_CTESTIMAGES_H

#include <stddef.h>
#include <stdint.h>

typedef enum __attribute__((enum_extensibility(closed))) {
    TEST_JPEG_GRAY __attribute__((swift_name("gray"))),
    TEST_JPEG_YCBCR __attribute__((swift_name("ycbcr"))),
    TEST_JPEG_RGB __attribute__((swift_name("rgb"))),
    TEST_JPEG_CMYK __attribute__((swift_name("cmyk"))),
    TEST_JPEG_YCCK __attribute__((swift_name("ycck"))),
} test_jpeg_colour;

typedef enum __attribute__((enum_extensibility(closed))) {
    TEST_JPEG_BASELINE __attribute__((swift_name("baseline"))),
    TEST_JPEG_PROGRESSIVE __attribute__((swift_name("progressive"))),
    /// Sequential, with one scan per component.
    TEST_JPEG_SCAN_A_COMPONENT __attribute__((swift_name("scanAComponent"))),
    /// Progressive, with one scan per coefficient of each component.
    TEST_JPEG_SCAN_A_COEFFICIENT __attribute__((swift_name("scanACoefficient"))),
} test_jpeg_scans;

typedef struct {
    uint32_t width, height;
    test_jpeg_colour colour;
    test_jpeg_scans scans;
    int quality;
    /// 1: all components at full size; 2: colour at half the width and height.
    int subsampling;
    int arithmetic;
    int adobe_marker;
    /// The number of rows of blocks between restart markers; 0: none.
    int restart_rows;
} test_jpeg_request;

/// Encodes a JPEG of `samples`, which have 1 (gray), 3 (RGB) or 4 (CMYK) bytes per pixel. Returns the file's length;
/// the caller frees `*file`.
size_t test_jpeg_encode(test_jpeg_request request, const uint8_t *samples, uint8_t **file);

/// Encodes a WebP of `width` × `height` pixels of RGBA; lossless if the quality is negative, with no alpha if all pixels
/// are opaque. Returns the file's length, 0 on an error; the caller frees `*file`.
size_t test_webp_encode(const uint8_t *rgba, uint32_t width, uint32_t height, float quality, uint8_t **file);

/// Decodes a WebP to `width` × `height` pixels of RGBA, in one call of libwebp. Returns NULL on an error; the caller
/// frees the pixels.
uint8_t *test_webp_decode(const uint8_t *file, size_t count, int *width, int *height);

typedef struct {
    uint32_t width, height;
    /// Whether the samples are red, green, blue and alpha, instead of the first three.
    _Bool has_alpha;
    /// Whether HEVC compresses the pixels, instead of AV1.
    _Bool is_hevc;
    /// 8, 10 or 12; samples of more than 8 bits have two bytes, the lower one first.
    int bits;
    /// 420, 422 or 444.
    int chroma;
    int quality;
    /// An ICC profile, or NULL.
    const uint8_t *profile;
    size_t profile_length;
} test_heif_request;

/// Encodes an AVIF or HEIC; only in builds with the trait HEIF. Returns the file's length, 0 on an error; the caller
/// frees `*file`.
size_t test_heif_encode(test_heif_request request, const uint8_t *samples, uint8_t **file);

#endif
