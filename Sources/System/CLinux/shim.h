// Parts of glibc that the module Glibc lacks, as the module CLinux.
#ifndef BIFRONS_CLINUX_SHIM_H
#define BIFRONS_CLINUX_SHIM_H

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Names the calling thread by the first 15 bytes of `name`. (Swift cannot call the variadic prctl.)
static inline void bifrons_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/// Returns the system's id of the calling thread.
static inline pid_t bifrons_thread_id(void) { return (pid_t)syscall(SYS_gettid); }

/// Makes the system send `signal` to the calling process when the thread that started the process ends.
static inline void bifrons_set_parent_death_signal(int signal) {
    prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0);
}

/// Returns the number of processors that the calling process's affinity mask allows; 0 if the system does not say.
/// (Without _GNU_SOURCE the headers lack the call and its type, and that type is limited to 1024 processors.)
static inline int bifrons_allowed_processors(void) {
    unsigned long mask[1024];
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long word = 0; word < bytes / (long)sizeof *mask; word++) count += __builtin_popcountl(mask[word]);
    return count;
}

#endif
