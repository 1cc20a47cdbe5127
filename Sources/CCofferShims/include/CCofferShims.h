/// System calls and loader entry points that Swift's Glibc overlay does not show.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
