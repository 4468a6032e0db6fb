// The part of libjpeg that ImageDecoding and ImageDrawing use. When libjpeg gives up it calls longjmp, which must never
// cross a Swift frame, so every function here catches that and returns an outcome.
#ifndef BIFRONS_CJPEG_H
#define BIFRONS_CJPEG_H

#include <stddef.h>
#include <stdint.h>

typedef enum __attribute__((enum_extensibility(closed))) {
    BIFRONS_JPEG_OK __attribute__((swift_name("ok"))),
    /// The data ends before the image does, or lacks some of its scans.
    BIFRONS_JPEG_TRUNCATED __attribute__((swift_name("truncated"))),
    /// The data contradicts itself.
    BIFRONS_JPEG_CORRUPT __attribute__((swift_name("corrupt"))),
    /// The header declares a width or a height of 0.
    BIFRONS_JPEG_ZERO_SIZED __attribute__((swift_name("zeroSized"))),
    /// The header declares a side longer than libjpeg accepts.
    BIFRONS_JPEG_TOO_LARGE __attribute__((swift_name("tooLarge"))),
    /// Apparently intact, but an unsupported variant of JPEG.
    BIFRONS_JPEG_UNSUPPORTED __attribute__((swift_name("unsupported"))),
    BIFRONS_JPEG_TOO_MANY_SCANS __attribute__((swift_name("tooManyScans"))),
    BIFRONS_JPEG_OUT_OF_TIME __attribute__((swift_name("outOfTime"))),
    BIFRONS_JPEG_OUT_OF_MEMORY __attribute__((swift_name("outOfMemory"))),
} bifrons_jpeg_outcome;

typedef struct {
    uint32_t width;
    uint32_t height;
    /// The bytes per pixel in the rows: 3 (RGB) or 4 (CMYK, as stored in the file).
    uint32_t channels;
    /// Whether the file has one component, which the rows repeat three times.
    _Bool is_gray;
    /// The bytes that libjpeg needs for coefficients while it collects the scans; 0 if there is only one scan.
    uint64_t coefficient_bytes;
} bifrons_jpeg_header;

typedef struct {
    /// 1: full size; 2, 4 or 8: smaller by that factor in each direction, rounded up.
    uint32_t reduction;
    uint32_t scans;
    /// The most bytes that libjpeg may allocate.
    uint64_t memory;
    /// The most processor time of the calling thread in nanoseconds, counted from `bifrons_jpeg_start` on.
    uint64_t time;
} bifrons_jpeg_limits;

typedef struct {
    /// The scan that was being read, from 1; 0 in the header.
    uint32_t scan;
    /// The bytes of a header segment that are missing behind the end of the data; 0 if the data did not end in such a
    /// segment.
    uint64_t missing;
} bifrons_jpeg_position;

typedef struct bifrons_jpeg bifrons_jpeg;

/// Creates a decoder for `count` bytes, which must stay in place until it is closed. Returns NULL if out of memory.
bifrons_jpeg *_Nullable bifrons_jpeg_open(const uint8_t *_Nonnull bytes, size_t count);
void bifrons_jpeg_close(bifrons_jpeg *_Nonnull jpeg);

// Call these in this order. After any outcome but BIFRONS_JPEG_OK, only the two getters below and close may follow.
bifrons_jpeg_outcome bifrons_jpeg_read_header(bifrons_jpeg *_Nonnull jpeg, bifrons_jpeg_header *_Nonnull header);
bifrons_jpeg_outcome bifrons_jpeg_start(
    bifrons_jpeg *_Nonnull jpeg, bifrons_jpeg_limits limits, uint32_t *_Nonnull width, uint32_t *_Nonnull height);
bifrons_jpeg_outcome bifrons_jpeg_read_row(bifrons_jpeg *_Nonnull jpeg, uint8_t *_Nonnull row);
/// Reads on to the end marker behind the last row, or to the end of the data.
bifrons_jpeg_outcome bifrons_jpeg_finish(bifrons_jpeg *_Nonnull jpeg);

/// Returns libjpeg's message for the failure. It is valid until the decoder is closed.
const char *_Nonnull bifrons_jpeg_message(const bifrons_jpeg *_Nonnull jpeg);
bifrons_jpeg_position bifrons_jpeg_where(const bifrons_jpeg *_Nonnull jpeg);

/// Compresses `height` rows of `width` RGB pixels without chroma subsampling. The caller frees `*bytes`. Returns false
/// if out of memory or if a side is longer than JPEG allows.
_Bool bifrons_jpeg_write(
    const uint8_t *_Nonnull pixels, uint32_t width, uint32_t height, int quality,
    uint8_t *_Nullable *_Nonnull bytes, size_t *_Nonnull count);

#endif
