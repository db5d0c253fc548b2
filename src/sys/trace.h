/* SPDX-License-Identifier: MIT */
/*
 * Tracing (design D16): USDT probes for perf and bpftrace, and the same words as text.
 *
 * KTM_TRACE=stderr, or a file's path, makes every call, step, force and refused status a line. Off,
 * it costs one look at a flag; the probes cost a no-op each and exist where <sys/sdt.h> was at hand
 * when this was built.
 */
#pragma once

#include <stdatomic.h>

#include "base/base.h"

#if __has_include(<sys/sdt.h>) && !defined(__SANITIZE_THREAD__)
#include <sys/sdt.h>
#define TRACE_PROBE(name, a, b, c) DTRACE_PROBE3(ktm, name, a, b, c)
#else
#define TRACE_PROBE(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

extern _Atomic bool trace_is_on; /* set once, before the first trace_line */

/* Reads KTM_TRACE; called when an instance is made. */
void trace_start(void);
/* One line, with a time and the thread in front; written whole with one call. */
void trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
