// The system calls of the sandbox: Landlock, and a filter of system calls (seccomp). Both restrict the whole process,
// with the threads that libraries have started, and cannot be undone.
//
// Debian's headers are older than the kernels that it runs on, so what they lack is defined here.
#ifndef BIFRONS_CSANDBOX_H
#define BIFRONS_CSANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Landlock

/// Rights to files, of linux/landlock.h.
enum {
    bifrons_landlock_read_file = 1 << 2,
    bifrons_landlock_read_folder = 1 << 3,
    bifrons_landlock_refer = 1 << 13,
    bifrons_landlock_truncate = 1 << 14,
    bifrons_landlock_device_control = 1 << 15,
    /// All rights of the first version.
    bifrons_landlock_first_rights = (1 << 13) - 1,
};

/// Rights to TCP ports.
enum { bifrons_landlock_bind_tcp = 1 << 0, bifrons_landlock_connect_tcp = 1 << 1 };

/// What is only allowed within the process: abstract Unix sockets and signals.
enum { bifrons_landlock_abstract_sockets = 1 << 0, bifrons_landlock_signals = 1 << 1 };

/// Returns the version of the kernel's Landlock, 1 or more, or a negative error number: -ENOSYS if the kernel was built
/// without it, -EOPNOTSUPP if it was not enabled at boot, another one if something around this process forbids it.
int bifrons_landlock_version(void);

/// Creates a ruleset, which forbids these rights to files and ports, and what is scoped, but for the rules added later.
/// Returns a descriptor, or a negative error number.
int bifrons_landlock_create(uint64_t files, uint64_t ports, uint64_t scoped);

/// Allows some rights beneath a folder, or to a file. Returns 0 or an error number.
int bifrons_landlock_allow_path(int ruleset, const char *_Nonnull path, uint64_t rights);

/// Allows some rights to a TCP port. Returns 0 or an error number.
int bifrons_landlock_allow_port(int ruleset, uint16_t port, uint64_t rights);

/// Restricts every thread of this process by a ruleset, and with them all threads that they start. Only one thread at a
/// time may call this.
///
/// The kernel restricts the calling thread only. So each other thread is interrupted by a real-time signal, whose
/// handler makes the call. A thread that blocks all signals, as those of libzmq do, must be started afterwards.
///
/// Returns 0, or an error number: ETIMEDOUT if a thread did not handle the signal within a second. After an error some
/// threads may be restricted.
int bifrons_landlock_restrict(int ruleset);

// The filter of system calls

/// What the filter allows besides computing, waiting and using the open descriptors.
typedef struct {
    /// Making Unix sockets.
    bool unix_sockets;
    /// Making TCP sockets.
    bool tcp;
    /// Making UDP sockets, which asking for the addresses of names needs.
    bool udp;
    /// Opening files for reading, and listing folders.
    bool reading;
    /// Making memory executable.
    bool code;
} bifrons_filter_allowance;

/// The most instructions of a filter.
enum { bifrons_filter_capacity = 1024 };

/// Writes the filter for the process `pid`, and returns the number of its instructions.
size_t bifrons_filter_write(
    bifrons_filter_allowance allowance, int32_t pid, struct sock_filter instructions[_Nonnull bifrons_filter_capacity]);

/// Makes the filter hold for every thread of this process. Returns 0 or an error number.
int bifrons_filter_enter(bifrons_filter_allowance allowance);

#endif
