// The two loops of Inference's Resampler for processors with AVX2. Swift code is compiled for the oldest supported
// processor, and unlike C cannot choose instructions at run time.
#ifndef BIFRONS_CRESAMPLING_H
#define BIFRONS_CRESAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The source pixels of one output pixel: `count` pixels from `start` on, with weights from index `weights` on.
///
/// A weight is `high << 15 + low`, with 22 fractional bits. If `count` is odd, one more weight of 0 follows.
typedef struct {
    int32_t start;
    int32_t count;
    int32_t weights;
} bifrons_resampling_span;

/// The bytes behind a source row's last pixel that `bifrons_resample_across` may read.
enum { bifrons_resampling_margin = 16 };

/// Returns whether this processor can run the functions below.
bool bifrons_resampling_is_fast(void);

/// Resizes four rows of RGB pixels across. Each target needs room for one byte behind its last pixel.
void bifrons_resample_across(
    const uint8_t *_Nonnull const *_Nonnull rows, uint8_t *_Nonnull const *_Nonnull targets,
    const bifrons_resampling_span *_Nonnull spans, size_t count, const int16_t *_Nonnull low,
    const int16_t *_Nonnull high);

/// Computes one output row from a ring buffer of rows. Row y is at `ring + y % ring_rows * stride`. `stride` is a
/// multiple of 16, and that many bytes are written.
void bifrons_resample_down(
    const uint8_t *_Nonnull ring, size_t ring_rows, size_t stride, bifrons_resampling_span span,
    const int16_t *_Nonnull low, const int16_t *_Nonnull high, uint8_t *_Nonnull output);

#endif
