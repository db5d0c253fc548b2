/* SPDX-License-Identifier: MIT */
/* Random bytes of the real system, private to this room: a pool for each thread. */
#pragma once

#include <stddef.h>

/* Cryptographic random bytes; no lock, and for who draws often a system call only every 32 KiB.
 * Cannot fail. */
void entropy_take(void *into, size_t size);
