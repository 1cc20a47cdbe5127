#include "CofferSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

int coffer_spawn(
    const char *path, char *const arguments[], char *const environment[], const char *directory,
    const int *descriptors, size_t count, int *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    // Two rounds: first above every source, then down to 0…count-1, so that no source is overwritten before its turn. A
    // busy server has descriptors of any number: the place above them is computed, never assumed.
    int above = (int)count;
    for (size_t i = 0; i < count; i++)
        if (descriptors[i] >= above) above = descriptors[i] + 1;
    for (size_t i = 0; !error && i < count; i++)
        error = posix_spawn_file_actions_adddup2(&actions, descriptors[i], above + (int)i);
    for (size_t i = 0; !error && i < count; i++)
        error = posix_spawn_file_actions_adddup2(&actions, above + (int)i, (int)i);
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, (int)count);
    if (!error && directory) error = posix_spawn_file_actions_addchdir_np(&actions, directory);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!error)
        error = posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!error) error = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int coffer_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC)) return errno;
    int flags = fcntl(ends[0], F_GETFL);
    if (flags < 0 || fcntl(ends[0], F_SETFL, flags | O_NONBLOCK) < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    return 0;
}

int coffer_pidfd(int pid) {
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}
