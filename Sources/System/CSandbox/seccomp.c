#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter of system calls knows x86_64 and aarch64 only"
#endif

// The last system call that this filter knows: those of newer kernels do not exist for the process, so that a library
// which tries one does without it.
enum { last_known_call = 450 };

// System calls that are the same on all processors and that older headers lack.
enum { call_clone3 = 435, call_epoll_pwait2 = 441, call_pidfd_getfd = 438 };

// The calls of the x32 interface of x86_64 have this bit.
enum { x32_bit = 0x40000000 };

// The kernel's value; the C library's on 64-bit systems is 0.
enum { create_unnamed = 020000000 };

enum { close_to_others = SECCOMP_RET_ERRNO | EPERM, missing = SECCOMP_RET_ERRNO | ENOSYS };

// Part of an argument of a system call: `(argument & mask) == value`. Only the lower half of an argument is compared,
// which is what the kernel uses of an int; `upper` compares the other half.
struct condition {
    unsigned argument;
    bool upper;
    uint32_t mask;
    uint32_t value;
};

struct writer {
    struct sock_filter *instructions;
    size_t count;
};

static void append(struct writer *writer, struct sock_filter instruction) {
    // Enough for every filter, which a test compares.
    if (writer->count < bifrons_filter_capacity) writer->instructions[writer->count] = instruction;
    writer->count++;
}

static void load(struct writer *writer, uint32_t offset) {
    append(writer, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void finish(struct writer *writer, uint32_t action) {
    append(writer, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

// Adds a rule: the system call, if all conditions hold, has this outcome. Otherwise the next rules apply.
static void rule(
    struct writer *writer, long call, uint32_t action, size_t count, const struct condition *conditions) {
    // The instructions behind each comparison, which is skipped to the end of the rule if it does not hold.
    uint8_t left = (uint8_t)(3 * count + 1);
    load(writer, offsetof(struct seccomp_data, nr));
    append(writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, left));
    for (size_t i = 0; i < count; i++) {
        const struct condition *condition = &conditions[i];
        left -= 3;
        // Both processors are little-endian.
        load(writer, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * condition->argument + 4 * condition->upper));
        append(writer, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, condition->mask));
        append(writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, condition->value, 0, left));
    }
    finish(writer, action);
}

static void allow(struct writer *writer, long call) { rule(writer, call, SECCOMP_RET_ALLOW, 0, NULL); }

static void allow_if(struct writer *writer, long call, struct condition condition) {
    rule(writer, call, SECCOMP_RET_ALLOW, 1, &condition);
}

static void allow_all(struct writer *writer, size_t count, const long *calls) {
    for (size_t i = 0; i < count; i++) allow(writer, calls[i]);
}

#define ALLOW_ALL(writer, calls) allow_all(writer, sizeof(calls) / sizeof *(calls), calls)

// What computing, waiting and speaking over existing connections need.
static const long always[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_lseek, SYS_close, SYS_fstat, SYS_newfstatat,
    // Waiting
    SYS_futex, SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, call_epoll_pwait2, SYS_epoll_ctl, SYS_epoll_create1,
    SYS_eventfd2, SYS_clock_nanosleep, SYS_nanosleep, SYS_restart_syscall,
    // Memory
    SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_membarrier,
    // Threads
    SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_set_tid_address, SYS_rseq, SYS_gettid, SYS_getpid,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam, SYS_sched_getscheduler,
    // libzmq sets how its threads are scheduled, and ends the program if it cannot.
    SYS_sched_setparam, SYS_sched_setscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min,
    // The priority of a thread with a slow image
    SYS_setpriority, SYS_getpriority,
    // Signals
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
    // Time, chance and facts
    SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_getrandom, SYS_getcpu, SYS_getrusage, SYS_sysinfo,
    SYS_uname, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    // Sockets. Landlock decides to which ports they connect.
    SYS_connect, SYS_recvfrom, SYS_recvmsg, SYS_shutdown, SYS_getsockname, SYS_getpeername, SYS_getsockopt,
    SYS_setsockopt,
#ifdef __x86_64__
    // Older forms, which aarch64 does not have
    SYS_poll, SYS_select, SYS_epoll_wait, SYS_epoll_create, SYS_eventfd, SYS_time,
#endif
};

// What only an exploit does: none of the worker's libraries tries it to find out whether it works.
static const long deadly[] = {
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, call_pidfd_getfd, SYS_bpf,
    SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_kexec_load, SYS_kexec_file_load, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare,
    SYS_open_by_handle_at, SYS_reboot, SYS_swapon, SYS_swapoff,
#ifdef __x86_64__
    SYS_fork, SYS_vfork, SYS_modify_ldt, SYS_iopl, SYS_ioperm,
#endif
};

// Allows sockets of a kind with the protocol that the kernel chooses, or the same by name. Others, such as multipath
// TCP, would pass by Landlock's rules for TCP.
static void allow_sockets(struct writer *writer, uint32_t domain, uint32_t type, uint32_t protocol) {
    uint32_t protocols[] = {0, protocol};
    for (size_t i = 0; i < (protocol ? 2 : 1); i++) {
        struct condition conditions[] = {
            {0, false, UINT32_MAX, domain}, {1, false, 0xF, type}, {2, false, UINT32_MAX, protocols[i]}};
        rule(writer, SYS_socket, SECCOMP_RET_ALLOW, 3, conditions);
    }
}

static void write_sockets(struct writer *writer, bifrons_filter_allowance allowance) {
    // A first message that is sent together with the connection's request passes by Landlock's rules for connect.
    allow_if(writer, SYS_sendto, (struct condition){3, false, MSG_FASTOPEN, 0});
    allow_if(writer, SYS_sendmsg, (struct condition){2, false, MSG_FASTOPEN, 0});
    if (allowance.unix_sockets) allow_sockets(writer, AF_UNIX, SOCK_STREAM, 0);
    if (allowance.tcp) {
        allow_sockets(writer, AF_INET, SOCK_STREAM, IPPROTO_TCP);
        allow_sockets(writer, AF_INET6, SOCK_STREAM, IPPROTO_TCP);
    }
    if (allowance.udp) {
        allow_sockets(writer, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
        allow_sockets(writer, AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
        allow_if(writer, SYS_sendmmsg, (struct condition){3, false, MSG_FASTOPEN, 0});
        // The number of an interface, as in fe80::1%eth0
        allow_if(writer, SYS_ioctl, (struct condition){1, false, UINT32_MAX, SIOCGIFINDEX});
    }
}

static void write_memory(struct writer *writer, bifrons_filter_allowance allowance) {
    if (allowance.code) {
        allow(writer, SYS_mmap);
        allow(writer, SYS_mprotect);
    } else {
        allow_if(writer, SYS_mmap, (struct condition){2, false, PROT_EXEC, 0});
        allow_if(writer, SYS_mprotect, (struct condition){2, false, PROT_EXEC, 0});
    }
}

static void write_conditions(struct writer *writer, bifrons_filter_allowance allowance, uint32_t pid) {
    write_sockets(writer, allowance);
    write_memory(writer, allowance);
    allow_if(writer, SYS_ioctl, (struct condition){1, false, UINT32_MAX, FIONREAD});
    allow_if(writer, SYS_ioctl, (struct condition){1, false, UINT32_MAX, FIONBIO});
    // Flags, no owners of signals and no leases
    allow_if(writer, SYS_fcntl, (struct condition){1, false, ~(uint32_t)7, 0});
    allow_if(writer, SYS_prctl, (struct condition){0, false, UINT32_MAX, PR_SET_NAME});
    // abort() signals its own thread.
    allow_if(writer, SYS_tgkill, (struct condition){0, false, UINT32_MAX, pid});
    allow_if(writer, SYS_kill, (struct condition){0, false, UINT32_MAX, pid});
    if (allowance.reading) {
        uint32_t writing = O_ACCMODE | O_CREAT | O_TRUNC | create_unnamed;
        allow_if(writer, SYS_openat, (struct condition){2, false, writing, 0});
        allow(writer, SYS_getdents64);
    }
    // Asking for a limit, without a new one
    struct condition asks[] = {{2, false, UINT32_MAX, 0}, {2, true, UINT32_MAX, 0}};
    rule(writer, SYS_prlimit64, SECCOMP_RET_ALLOW, 2, asks);
    // A thread, in no namespace of its own
    uint32_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    uint32_t apart = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID
        | CLONE_NEWNET;
    allow_if(writer, SYS_clone, (struct condition){0, false, thread | apart, thread});
    rule(writer, SYS_clone, SECCOMP_RET_KILL_PROCESS, 0, NULL);
    // Its flags are in memory, where a filter cannot read; the C library then uses clone.
    rule(writer, call_clone3, missing, 0, NULL);
}

size_t bifrons_filter_write(
    bifrons_filter_allowance allowance, int32_t pid, struct sock_filter instructions[bifrons_filter_capacity]) {
    struct writer writer = {instructions, 0};
    // The numbers below mean other calls in the interfaces of other processors.
    load(&writer, offsetof(struct seccomp_data, arch));
    append(&writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    finish(&writer, SECCOMP_RET_KILL_PROCESS);
    load(&writer, offsetof(struct seccomp_data, nr));
    append(&writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, x32_bit, 0, 1));
    finish(&writer, SECCOMP_RET_KILL_PROCESS);
    // First, because the kernel remembers the outcome of calls whose arguments do not matter, and runs the filter only
    // for the others.
    write_conditions(&writer, allowance, (uint32_t)pid);
    ALLOW_ALL(&writer, always);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
        rule(&writer, deadly[i], SECCOMP_RET_KILL_PROCESS, 0, NULL);
    }
    load(&writer, offsetof(struct seccomp_data, nr));
    append(&writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_known_call, 0, 1));
    finish(&writer, missing);
    finish(&writer, close_to_others);
    return writer.count;
}

int bifrons_filter_enter(bifrons_filter_allowance allowance) {
    struct sock_filter instructions[bifrons_filter_capacity];
    size_t count = bifrons_filter_write(allowance, getpid(), instructions);
    if (count > bifrons_filter_capacity) return E2BIG;
    struct sock_fprog filter = {(unsigned short)count, instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    // Before Linux 5.16 a filter also switched on a protection from speculation between programs in one process, which
    // a worker does not have, and which costs more than the filter.
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    // A positive number is the thread that has another filter.
    return result < 0 ? errno : result > 0 ? EBUSY : 0;
}
