// The parts of glibc that the module Glibc leaves out, as the module CLinux.
#ifndef BIFRONS_CLINUX_SHIM_H
#define BIFRONS_CLINUX_SHIM_H

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Names the calling thread; of longer names the first 15 bytes. (Swift cannot call the variadic prctl itself.)
static inline void bifrons_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/// The system's number of the calling thread.
static inline pid_t bifrons_thread_id(void) { return (pid_t)syscall(SYS_gettid); }

/// Has the system send the calling process `signal` when the thread that started it ends.
static inline void bifrons_set_parent_death_signal(int signal) {
    prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0);
}

/// How many processors the calling process's affinity mask allows; 0 when the system does not say. (The call and its type
/// are not in the headers without _GNU_SOURCE, and its type ends at 1024 processors.)
static inline int bifrons_allowed_processors(void) {
    unsigned long mask[1024];
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long word = 0; word < bytes / (long)sizeof *mask; word++) count += __builtin_popcountl(mask[word]);
    return count;
}

#endif
