// The whole of libpng that ImageDecoding and ImageDrawing see. libpng leaves through longjmp when it gives up, which must never cross
// a Swift frame: every function here catches that itself and returns an outcome.
#ifndef BIFRONS_CPNG_H
#define BIFRONS_CPNG_H

#include <stddef.h>
#include <stdint.h>

typedef enum __attribute__((enum_extensibility(closed))) {
    BIFRONS_PNG_OK __attribute__((swift_name("ok"))),
    /// The data ends before the picture does.
    BIFRONS_PNG_TRUNCATED __attribute__((swift_name("truncated"))),
    /// The data contradicts itself or a checksum.
    BIFRONS_PNG_CORRUPT __attribute__((swift_name("corrupt"))),
    BIFRONS_PNG_OUT_OF_TIME __attribute__((swift_name("outOfTime"))),
    BIFRONS_PNG_OUT_OF_MEMORY __attribute__((swift_name("outOfMemory"))),
} bifrons_png_outcome;

typedef struct bifrons_png bifrons_png;

/// A decoder for `count` bytes, which must stay where they are until it is closed. NULL: no memory.
/// `is_cut`: the data ends in front of its end chunk, its last whole chunk at `end`. libpng is then shown the whole
/// chunks, what there is of the next one if that holds image data, and an end chunk.
/// `time`: CPU time of the calling thread in nanoseconds that it may use.
bifrons_png *_Nullable bifrons_png_open(
    const uint8_t *_Nonnull bytes, size_t count, _Bool is_cut, size_t end, uint64_t time);
void bifrons_png_close(bifrons_png *_Nonnull png);

// To be called in this order; after anything but BIFRONS_PNG_OK only message and close may follow.

/// `channels`: bytes a pixel in the rows, 3 (RGB) or 4 (RGB and alpha, not premultiplied), whatever the file holds.
bifrons_png_outcome bifrons_png_read_header(bifrons_png *_Nonnull png, uint32_t *_Nonnull channels);
/// The next row. An interlaced picture gives the rows of its seven passes as they are stored: those of the first pass
/// that is not empty, then those of the next, none of them spread to the picture's width. `row` must have room for the
/// picture's width even so: libpng always writes that many pixels.
bifrons_png_outcome bifrons_png_read_row(bifrons_png *_Nonnull png, uint8_t *_Nonnull row);
/// Reads on to the end chunk behind the last row. Compressed data that has every row and no end is no error.
bifrons_png_outcome bifrons_png_finish(bifrons_png *_Nonnull png);

/// What libpng said when it gave up; lives as long as the decoder.
const char *_Nonnull bifrons_png_message(const bifrons_png *_Nonnull png);

/// The checksum of a PNG's chunk: of its type and its data.
uint32_t bifrons_png_checksum(const uint8_t *_Nonnull bytes, size_t count);

/// The ICC profile of `size` bytes, as it says itself in its first four, that an iCCP chunk holds compressed. Nothing
/// beyond them is unpacked. The caller frees it. NULL: it is damaged, incomplete, or larger than `limit`.
uint8_t *_Nullable bifrons_png_profile(
    const uint8_t *_Nonnull stream, size_t count, size_t limit, size_t *_Nonnull size);

/// Compresses `height` rows of `width` RGB pixels. The caller frees what `bytes` then points to.
/// False: there is no memory for it, or a side is longer than libpng takes.
_Bool bifrons_png_write(
    const uint8_t *_Nonnull pixels, uint32_t width, uint32_t height, uint8_t *_Nullable *_Nonnull bytes,
    size_t *_Nonnull count);

#endif
