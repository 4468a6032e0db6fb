// libzmq's C interface, as the module CZeroMQ. Only the module BifronsZeroMQ imports it.
#ifndef BIFRONS_CZEROMQ_SHIM_H
#define BIFRONS_CZEROMQ_SHIM_H

#include <zmq.h>

#endif
