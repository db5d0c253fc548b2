/* SPDX-License-Identifier: MIT */
/*
 * What CHECK and status_raise leave behind: a last line of text, and the place a status was born.
 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__has_include) && __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#else
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)0)
#endif

/* Initial-exec: reached with one instruction from the shared library too; it is 16 bytes. */
static __thread struct status_birth last_birth __attribute__((tls_model("initial-exec")));

void
check_failed(const char *fact, const char *file, int line)
{
    /* Unbuffered and without an allocation: this process is no longer to be trusted. */
    dprintf(STDERR_FILENO, "ktm: %s:%d: this must hold and does not: %s\n", file, line, fact);
    abort();
}

NTSTATUS
status_born(NTSTATUS status, const char *file, int line)
{
    last_birth = (struct status_birth){.status = status, .line = line, .file = file};
    DTRACE_PROBE3(ktm, status_born, status, file, line);
    return status;
}

struct status_birth
status_last_birth(void)
{
    return last_birth;
}
