// The part of zlib that Provenance uses, as the module CZlib.
#ifndef BIFRONS_CZLIB_SHIM_H
#define BIFRONS_CZLIB_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

/// Uncompresses a zlib stream (RFC 1950) of `count` bytes into `out`, which has room for `capacity` bytes.
///
/// Returns the number of bytes, -1 if the stream is damaged or incomplete, or -2 if there are more than `capacity`.
static inline long bifrons_inflate(const uint8_t *in, size_t count, uint8_t *out, size_t capacity) {
    z_stream inflater = {
        .next_in = (Bytef *)in, .avail_in = (uInt)count, .next_out = out, .avail_out = (uInt)capacity};
    if (count > UINT32_MAX || capacity > UINT32_MAX || inflateInit(&inflater) != Z_OK) return -1;
    int outcome = inflate(&inflater, Z_FINISH);
    size_t rest = inflater.avail_out;
    inflateEnd(&inflater);
    if (outcome == Z_STREAM_END) return (long)(capacity - rest);
    return outcome == Z_BUF_ERROR && rest == 0 ? -2 : -1;
}

#endif
