#include "CResampling.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

enum { bits = 22, low_bits = 15 };

/// Eight weighted sums in progress, with separate sums for the two halves of the weights. Neither half reaches 2^31,
/// because weights sum to 2^22 and bytes have 8 bits.
typedef struct {
    __m256i low;
    __m256i high;
} sums;

AVX2 static inline sums no_sums(void) {
    return (sums){_mm256_set1_epi32(1 << (bits - 1)), _mm256_setzero_si256()};
}

// Returns two neighbouring weights in every 32 bits, for the two values there.
AVX2 static inline __m256i pair(const int16_t *weights) {
    int32_t both;
    memcpy(&both, weights, sizeof both);
    return _mm256_set1_epi32(both);
}

AVX2 static inline void add(sums *sums, __m256i values, __m256i low, __m256i high) {
    sums->low = _mm256_add_epi32(sums->low, _mm256_madd_epi16(values, low));
    sums->high = _mm256_add_epi32(sums->high, _mm256_madd_epi16(values, high));
}

// Returns the sums as integers, which packing with saturation limits to 0…255.
AVX2 static inline __m256i rounded(sums sums) {
    return _mm256_srai_epi32(_mm256_add_epi32(sums.low, _mm256_slli_epi32(sums.high, low_bits)), bits);
}

bool bifrons_resampling_is_fast(void) { return __builtin_cpu_supports("avx2"); }

AVX2 static inline __m256i two_rows(const uint8_t *first, const uint8_t *second) {
    __m128i one = _mm_loadu_si128((const __m128i *)first), other = _mm_loadu_si128((const __m128i *)second);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(one), other, 1);
}

AVX2 static inline void store(sums sums, uint8_t *first, uint8_t *second) {
    __m256i words = _mm256_packs_epi32(rounded(sums), _mm256_setzero_si256());
    __m256i bytes = _mm256_packus_epi16(words, words);
    int32_t one = _mm_cvtsi128_si32(_mm256_castsi256_si128(bytes));
    int32_t other = _mm_cvtsi128_si32(_mm256_extracti128_si256(bytes, 1));
    memcpy(first, &one, sizeof one);
    memcpy(second, &other, sizeof other);
}

// Each half of a vector holds a row; each channel of a pixel is next to that of the next pixel.
AVX2 void bifrons_resample_across(
    const uint8_t *const *rows, uint8_t *const *targets, const bifrons_resampling_span *spans, size_t count,
    const int16_t *low, const int16_t *high) {
    const __m256i first_two = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i next_two = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    for (size_t x = 0; x < count; x++) {
        bifrons_resampling_span span = spans[x];
        const int16_t *lows = low + span.weights, *highs = high + span.weights;
        size_t offset = (size_t)span.start * 3;
        sums upper = no_sums(), lower = no_sums();
        int32_t left = span.count;
        for (; left > 2; left -= 4, offset += 12, lows += 4, highs += 4) {
            __m256i above = two_rows(rows[0] + offset, rows[1] + offset);
            __m256i below = two_rows(rows[2] + offset, rows[3] + offset);
            __m256i low_pair = pair(lows), high_pair = pair(highs);
            add(&upper, _mm256_shuffle_epi8(above, first_two), low_pair, high_pair);
            add(&lower, _mm256_shuffle_epi8(below, first_two), low_pair, high_pair);
            low_pair = pair(lows + 2), high_pair = pair(highs + 2);
            add(&upper, _mm256_shuffle_epi8(above, next_two), low_pair, high_pair);
            add(&lower, _mm256_shuffle_epi8(below, next_two), low_pair, high_pair);
        }
        if (left > 0) {
            __m256i above = two_rows(rows[0] + offset, rows[1] + offset);
            __m256i below = two_rows(rows[2] + offset, rows[3] + offset);
            add(&upper, _mm256_shuffle_epi8(above, first_two), pair(lows), pair(highs));
            add(&lower, _mm256_shuffle_epi8(below, first_two), pair(lows), pair(highs));
        }
        store(upper, targets[0] + x * 3, targets[1] + x * 3);
        store(lower, targets[2] + x * 3, targets[3] + x * 3);
    }
}

// Sixteen bytes of a row are interleaved with those of the next row.
AVX2 void bifrons_resample_down(
    const uint8_t *ring, size_t ring_rows, size_t stride, bifrons_resampling_span span, const int16_t *low,
    const int16_t *high, uint8_t *output) {
    const int16_t *lows = low + span.weights, *highs = high + span.weights;
    for (size_t offset = 0; offset < stride; offset += 16) {
        sums left = no_sums(), right = no_sums();
        size_t row = (size_t)span.start % ring_rows;
        for (int32_t index = 0; index < span.count; index += 2) {
            size_t next = row + 1 < ring_rows ? row + 1 : 0;
            __m128i above = _mm_loadu_si128((const __m128i *)(ring + row * stride + offset));
            __m128i below = _mm_loadu_si128((const __m128i *)(ring + next * stride + offset));
            __m256i low_pair = pair(lows + index), high_pair = pair(highs + index);
            add(&left, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(above, below)), low_pair, high_pair);
            add(&right, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(above, below)), low_pair, high_pair);
            row = next + 1 < ring_rows ? next + 1 : 0;
        }
        __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(rounded(left), rounded(right)), 0xD8);
        __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)(output + offset), bytes);
    }
}

#else

#include <stdlib.h>

bool bifrons_resampling_is_fast(void) { return false; }

void bifrons_resample_across(
    const uint8_t *const *rows, uint8_t *const *targets, const bifrons_resampling_span *spans, size_t count,
    const int16_t *low, const int16_t *high) {
    (void)rows, (void)targets, (void)spans, (void)count, (void)low, (void)high;
    abort();
}

void bifrons_resample_down(
    const uint8_t *ring, size_t ring_rows, size_t stride, bifrons_resampling_span span, const int16_t *low,
    const int16_t *high, uint8_t *output) {
    (void)ring, (void)ring_rows, (void)stride, (void)span, (void)low, (void)high, (void)output;
    abort();
}

#endif
