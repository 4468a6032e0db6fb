// The two loops of Inference's Resampler for processors with AVX2. Swift is compiled for the oldest processor of its kind,
// and cannot choose at run time as C can.
#ifndef BIFRONS_CRESAMPLING_H
#define BIFRONS_CRESAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The source pixels of one output pixel: `count` of them from `start`, their weights from `weights`.
///
/// A weight is `high << 15 + low`, 22 bits behind the point. When `count` is odd, one more weight follows, which is 0.
typedef struct {
    int32_t start;
    int32_t count;
    int32_t weights;
} bifrons_resampling_span;

/// Bytes behind a source row's last pixel that `bifrons_resample_across` may read.
enum { bifrons_resampling_margin = 16 };

/// Whether this processor can run the functions below.
bool bifrons_resampling_is_fast(void);

/// Resizes four rows of RGB pixels across. Each target has room for one byte behind its last pixel.
void bifrons_resample_across(
    const uint8_t *_Nonnull const *_Nonnull rows, uint8_t *_Nonnull const *_Nonnull targets,
    const bifrons_resampling_span *_Nonnull spans, size_t count, const int16_t *_Nonnull low,
    const int16_t *_Nonnull high);

/// Makes one row of a ring of rows. Row y is at `ring + y % ring_rows * stride`; `stride` is a multiple of 16, and so many
/// bytes are written.
void bifrons_resample_down(
    const uint8_t *_Nonnull ring, size_t ring_rows, size_t stride, bifrons_resampling_span span,
    const int16_t *_Nonnull low, const int16_t *_Nonnull high, uint8_t *_Nonnull output);

#endif
