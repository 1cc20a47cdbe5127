/// System calls and loader entry points that Swift's Glibc overlay does not show.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "CofferSpawn.h"
#include "CofferWalBuffer.h"
#include "igzip.h"

/// renameat2(2) that refuses to replace an existing destination. Returns 0 or -1 with errno.
static inline int coffer_rename_no_replace(const char *from, const char *to) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */);
}

/// copy_file_range(2) at explicit offsets. Returns bytes copied or -1 with errno.
static inline ssize_t coffer_copy_file_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t count) {
    loff_t in = from_offset, out = to_offset;
    return (ssize_t)syscall(SYS_copy_file_range, from, &in, to, &out, count, 0u);
}

/// fallocate(2). `mode` 0 reserves space; 1 keeps the file's size. Returns 0 or -1 with errno.
static inline int coffer_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

/// Forbids core dumps and ptrace by other processes of the same user. Returns 0 or -1 with errno.
static inline int coffer_forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
