// The parts of glibc that the module Glibc leaves out, as the module CLinux.
#ifndef BIFRONS_CLINUX_SHIM_H
#define BIFRONS_CLINUX_SHIM_H

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

/// Names the calling thread; of longer names the first 15 bytes. (Swift cannot call the variadic prctl itself.)
static inline void bifrons_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/// Has the system send the calling process `signal` when the thread that started it ends.
static inline void bifrons_set_parent_death_signal(int signal) {
    prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0);
}

#endif
