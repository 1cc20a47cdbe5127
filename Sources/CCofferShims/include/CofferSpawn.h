/// Starting child processes with nothing of ours in their hands.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Starts `path` in a new session with the descriptors `descriptors[0..<count]` as its 0, 1, 2, … and every other
/// descriptor closed. Signal dispositions and the mask are those of a fresh process. `directory` may be NULL.
/// Returns 0 and sets `*pid`, or an errno value.
int coffer_spawn(
    const char *path, char *const arguments[], char *const environment[], const char *directory,
    const int *descriptors, size_t count, int *pid);

/// A pipe whose two ends are closed on exec and whose reading end does not block. Returns 0 or an errno value.
int coffer_pipe(int ends[2]);

/// A descriptor that becomes readable when the process ends, closed on exec, or -1 where the kernel has none.
int coffer_pidfd(int pid);
