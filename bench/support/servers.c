/* SPDX-License-Identifier: MIT */
/* What tests/rm/servers needs of the tests: so a measurement starts the same servers. */
#include <unistd.h>

#include "bench/support/servers.h"
#include "tests/test.h"

static const char *place;

void
bench_servers_in(const char *directory)
{
    place = directory;
}

const char *
test_directory(void)
{
    return place;
}

const char *
test_build(void)
{
    return KTM_BUILD;
}

void
test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void
test_skip(const char *file, int line, const char *reason)
{
    (void)file, (void)line;
    printf("not measured: %s\n", reason);
    exit(0);
}
