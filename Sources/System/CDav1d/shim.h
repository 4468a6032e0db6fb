// dav1d, as the module CDav1d. Only the module ImageDecoding imports it, if the package's trait HEIF is on.
#ifndef BIFRONS_CDAV1D_SHIM_H
#define BIFRONS_CDAV1D_SHIM_H

#include <dav1d/dav1d.h>
#include <errno.h>

/// What dav1d returns when it needs more data to give a picture. (Swift cannot import the macro.)
static const int bifrons_dav1d_again = DAV1D_ERR(EAGAIN);

#endif
