// libde265, as the module CDe265. Only the module ImageDecoding imports it, if the package's trait HEIF is on.
#ifndef BIFRONS_CDE265_SHIM_H
#define BIFRONS_CDE265_SHIM_H

#include <libde265/de265.h>

#endif
