// The part of libwebp that decodes, as the module CWebP. Only the module ImageDecoding imports it.
#ifndef BIFRONS_CWEBP_SHIM_H
#define BIFRONS_CWEBP_SHIM_H

#include <webp/decode.h>

#endif
