#define _GNU_SOURCE
#include "CSandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// These numbers are the same on all processors.
enum { call_create = 444, call_add_rule = 445, call_restrict = 446 };
enum { flag_version = 1 };
enum { rule_path = 1, rule_port = 2 };

struct ruleset {
    uint64_t files;
    uint64_t ports;
    uint64_t scoped;
};

struct path_rule {
    uint64_t rights;
    int32_t parent;
} __attribute__((packed));

struct port_rule {
    uint64_t rights;
    uint64_t port;
};

int bifrons_landlock_version(void) {
    long version = syscall(call_create, NULL, (size_t)0, flag_version);
    return version < 0 ? -errno : (int)version;
}

int bifrons_landlock_create(uint64_t files, uint64_t ports, uint64_t scoped) {
    // An older kernel accepts a longer structure if what it does not know is 0.
    struct ruleset ruleset = {files, ports, scoped};
    long descriptor = syscall(call_create, &ruleset, sizeof ruleset, 0);
    return descriptor < 0 ? -errno : (int)descriptor;
}

int bifrons_landlock_allow_path(int ruleset, const char *path, uint64_t rights) {
    struct path_rule rule = {rights, open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent < 0) return errno;
    long result = syscall(call_add_rule, ruleset, rule_path, &rule, 0);
    int error = result < 0 ? errno : 0;
    close(rule.parent);
    return error;
}

int bifrons_landlock_allow_port(int ruleset, uint16_t port, uint64_t rights) {
    struct port_rule rule = {rights, port};
    return syscall(call_add_rule, ruleset, rule_port, &rule, 0) < 0 ? errno : 0;
}

// Restricting all threads

// What the handler of the signal works on. Only the thread whose turn it is does anything.
static atomic_int turn;
static atomic_int restricting;
static atomic_int outcome;
static sem_t handled;

static int restrict_this_thread(int ruleset) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    return syscall(call_restrict, ruleset, 0) < 0 ? errno : 0;
}

static pid_t this_thread(void) { return (pid_t)syscall(SYS_gettid); }

static void handle(int signal) {
    (void)signal;
    int before = errno;
    int self = this_thread();
    // A thread that is late finds that its turn is over.
    if (atomic_compare_exchange_strong(&turn, &self, 0)) {
        atomic_store(&outcome, restrict_this_thread(atomic_load(&restricting)));
        sem_post(&handled);
    }
    errno = before;
}

// Ends a thread's turn. Returns `otherwise` if it has done nothing; if it has begun, waits for it and returns its error
// number.
static int end_turn(pid_t thread, int otherwise) {
    int expected = thread;
    if (atomic_compare_exchange_strong(&turn, &expected, 0)) return otherwise;
    while (sem_wait(&handled) < 0) {}
    return atomic_load(&outcome);
}

// Makes another thread restrict itself. Returns 0, also if the thread has ended, or an error number.
static int restrict_thread(pid_t thread, int signal) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    atomic_store(&turn, thread);
    if (syscall(SYS_tgkill, getpid(), thread, signal) < 0) return end_turn(thread, errno == ESRCH ? 0 : errno);
    // Short waits, because a thread that ends now never answers.
    for (;;) {
        struct timespec wait;
        clock_gettime(CLOCK_REALTIME, &wait);
        if (wait.tv_sec > until.tv_sec || (wait.tv_sec == until.tv_sec && wait.tv_nsec > until.tv_nsec)) break;
        wait.tv_nsec += 10000000;
        if (wait.tv_nsec >= 1000000000) {
            wait.tv_nsec -= 1000000000;
            wait.tv_sec++;
        }
        if (sem_timedwait(&handled, &wait) == 0) return atomic_load(&outcome);
        if (syscall(SYS_tgkill, getpid(), thread, 0) < 0 && errno == ESRCH) return end_turn(thread, 0);
    }
    return end_turn(thread, ETIMEDOUT);
}

struct threads {
    pid_t *all;
    size_t count;
    size_t room;
};

static bool contains(const struct threads *threads, pid_t thread) {
    for (size_t i = 0; i < threads->count; i++) {
        if (threads->all[i] == thread) return true;
    }
    return false;
}

static int append(struct threads *threads, pid_t thread) {
    if (threads->count == threads->room) {
        size_t room = threads->room ? 2 * threads->room : 64;
        pid_t *all = realloc(threads->all, room * sizeof *all);
        if (!all) return ENOMEM;
        threads->all = all;
        threads->room = room;
    }
    threads->all[threads->count++] = thread;
    return 0;
}

// Restricts all threads that are not yet in `done`, but the calling one, and counts them. Returns 0 or an error number.
static int restrict_further(struct threads *done, int signal, size_t *count) {
    DIR *folder = opendir("/proc/self/task");
    if (!folder) return errno;
    *count = 0;
    int error = 0;
    struct dirent *entry;
    while (!error && (entry = readdir(folder))) {
        pid_t thread = (pid_t)atoi(entry->d_name);
        if (thread <= 0 || thread == this_thread() || contains(done, thread)) continue;
        ++*count;
        error = restrict_thread(thread, signal);
        if (!error) error = append(done, thread);
    }
    closedir(folder);
    return error;
}

int bifrons_landlock_restrict(int ruleset) {
    int signal = SIGRTMAX;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART}, before;
    if (sem_init(&handled, 0, 0) < 0) return errno;
    atomic_store(&restricting, ruleset);
    sigfillset(&action.sa_mask);
    if (sigaction(signal, &action, &before) < 0) return errno;

    // A thread that was not restricted yet may have started another. Two searches in a row that find none end this,
    // because one may miss a thread if others end meanwhile.
    struct threads done = {0};
    int error = 0;
    for (int empty = 0; !error && empty < 2;) {
        size_t count = 0;
        error = restrict_further(&done, signal, &count);
        empty = count ? 0 : empty + 1;
    }
    free(done.all);
    // A thread that has not handled the signal gets it when it no longer blocks it, and would be ended by it.
    if (error) before.sa_handler = SIG_IGN;
    sigaction(signal, &before, NULL);
    // The calling thread comes last, because from then on it cannot read /proc.
    return error ? error : restrict_this_thread(ruleset);
}
