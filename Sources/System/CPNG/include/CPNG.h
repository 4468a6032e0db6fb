// The part of libpng that ImageDecoding and ImageDrawing use. When libpng gives up it calls longjmp, which must never
// cross a Swift frame, so every function here catches that and returns an outcome.
#ifndef BIFRONS_CPNG_H
#define BIFRONS_CPNG_H

#include <stddef.h>
#include <stdint.h>

typedef enum __attribute__((enum_extensibility(closed))) {
    BIFRONS_PNG_OK __attribute__((swift_name("ok"))),
    /// The data ends before the image does.
    BIFRONS_PNG_TRUNCATED __attribute__((swift_name("truncated"))),
    /// The data contradicts itself or a checksum.
    BIFRONS_PNG_CORRUPT __attribute__((swift_name("corrupt"))),
    BIFRONS_PNG_OUT_OF_TIME __attribute__((swift_name("outOfTime"))),
    BIFRONS_PNG_OUT_OF_MEMORY __attribute__((swift_name("outOfMemory"))),
} bifrons_png_outcome;

typedef struct bifrons_png bifrons_png;

/// Creates a decoder for `count` bytes, which must stay in place until it is closed. Returns NULL if out of memory.
///
/// `is_cut`: whether the data ends before the end chunk, its last whole chunk at `end`. libpng is then shown the whole
/// chunks, the existing part of the next chunk if that holds image data, and an end chunk.
///
/// `time`: the most processor time of the calling thread, in nanoseconds.
bifrons_png *_Nullable bifrons_png_open(
    const uint8_t *_Nonnull bytes, size_t count, _Bool is_cut, size_t end, uint64_t time);
void bifrons_png_close(bifrons_png *_Nonnull png);

// Call these in this order. After any outcome but BIFRONS_PNG_OK only message and close may follow.

/// Reads the header. `channels`: the bytes per pixel in the rows, 3 (RGB) or 4 (RGB and alpha, not premultiplied),
/// whatever the file contains.
bifrons_png_outcome bifrons_png_read_header(bifrons_png *_Nonnull png, uint32_t *_Nonnull channels);
/// Reads the next row. An interlaced image gives the rows of its seven passes as stored: those of the first pass that
/// is not empty, then those of the next, not spread to the image's width. `row` must still have room for the image's
/// width, because libpng always writes that many pixels.
bifrons_png_outcome bifrons_png_read_row(bifrons_png *_Nonnull png, uint8_t *_Nonnull row);
/// Reads on to the end chunk behind the last row. Compressed data with every row but no end is not an error.
bifrons_png_outcome bifrons_png_finish(bifrons_png *_Nonnull png);

/// Returns libpng's message for the failure. It is valid until the decoder is closed.
const char *_Nonnull bifrons_png_message(const bifrons_png *_Nonnull png);

/// Returns the checksum of a PNG chunk, over its type and its data.
uint32_t bifrons_png_checksum(const uint8_t *_Nonnull bytes, size_t count);

/// Returns the ICC profile in the compressed data of an iCCP chunk. Its size, stored in its first four bytes, is
/// written to `size`, and nothing beyond that is uncompressed. The caller frees it. Returns NULL if it is damaged,
/// incomplete, or larger than `limit`.
uint8_t *_Nullable bifrons_png_profile(
    const uint8_t *_Nonnull stream, size_t count, size_t limit, size_t *_Nonnull size);

/// Compresses `height` rows of `width` RGB pixels. The caller frees `*bytes`. Returns false if out of memory or if a
/// side is longer than libpng accepts.
_Bool bifrons_png_write(
    const uint8_t *_Nonnull pixels, uint32_t width, uint32_t height, uint8_t *_Nullable *_Nonnull bytes,
    size_t *_Nonnull count);

#endif
