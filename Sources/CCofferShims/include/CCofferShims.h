/// System calls and loader entry points that Swift's Glibc overlay does not show.
///
/// No header of the system beyond the basic types: what one declared here, such as `struct stat`, would be this module's for
/// some files of a Swift module and Glibc's for others, as the compiler happens to load them.
#pragma once
#include "CofferSpawn.h"
#include "CofferWalBuffer.h"
#include "igzip.h"

/// renameat2(2) that refuses to replace an existing destination. Returns 0 or -1 with errno.
int coffer_rename_no_replace(const char *from, const char *to);

/// Forbids core dumps and ptrace by other processes of the same user. Returns 0 or -1 with errno.
int coffer_forbid_dumps(void);
