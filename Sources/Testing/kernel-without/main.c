// Runs a program as on a kernel without Landlock, or without filters of system calls:
//
//   kernel-without landlock|seccomp PROGRAM [ARGUMENT...]
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words) {
    // landlock_create_ruleset, which older headers lack
    unsigned call = 444;
    if (count < 3 || (strcmp(words[1], "landlock") != 0 && strcmp(words[1], "seccomp") != 0)) {
        fprintf(stderr, "usage: kernel-without landlock|seccomp PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    if (strcmp(words[1], "seccomp") == 0) call = SYS_seccomp;
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof instructions / sizeof *instructions, instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
        perror("kernel-without");
        return 1;
    }
    execv(words[2], words + 2);
    perror(words[2]);
    return 1;
}
