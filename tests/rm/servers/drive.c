/* SPDX-License-Identifier: MIT */
/*
 * The servers of postgres.h and mariadb.h for tests that are scripts (servers.py).
 *
 *     drive postgres|mariadb DIRECTORY
 *
 * Starts the server in the directory and says how to reach it: a connection string, or a socket.
 * Then it obeys one line after the other and answers with a line each: 'ask SQL' with the first
 * column of the first row, 'kill' and 'again' with 'done'. The server ends with this program, and
 * this program with its input; it removes the directory. Exit status 77: there is no such server on
 * this machine.
 */
#include <unistd.h>

#include "tests/test.h"
#ifdef KTM_DRIVE_POSTGRES
#include "tests/rm/servers/postgres.h"
#endif
#ifdef KTM_DRIVE_MARIADB
#include "tests/rm/servers/mariadb.h"
#endif

enum { EXIT_SKIPPED = 77 };

static const char *directory;

/* ---- what the servers want of the test runner ---- */

void
test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void
test_skip(const char *file, int line, const char *reason)
{
    fprintf(stderr, "%s:%d: skipped: %s\n", file, line, reason);
    exit(EXIT_SKIPPED);
}

const char *
test_directory(void)
{
    return directory;
}

const char *
test_build(void)
{
    const char *path = getenv("KTM_BUILD");

    return path ? path : KTM_BUILD;
}

/* ---- the servers ---- */

struct kind {
    const char *name;
    const char *(*start)(void);
    void (*kill)(void);
    void (*again)(void);
    const char *(*ask)(const char *sql);
};

#ifdef KTM_DRIVE_POSTGRES
static struct postgres postgres;

static const char *
start_postgres(void)
{
    setenv("PGOPTIONS", "-c client_min_messages=warning", 0);
    postgres_start(&postgres, NULL);
    return postgres.conninfo;
}

static void
kill_postgres(void)
{
    postgres_kill(&postgres);
}

static void
again_postgres(void)
{
    postgres_again(&postgres, NULL);
}

static const char *
ask_postgres(const char *sql)
{
    return postgres_ask(&postgres, sql);
}
#endif

#ifdef KTM_DRIVE_MARIADB
static struct mariadb mariadb;

static const char *
start_mariadb(void)
{
    mariadb_start(&mariadb, NULL);
    return mariadb.socket;
}

static void
kill_mariadb(void)
{
    mariadb_kill(&mariadb);
}

static void
again_mariadb(void)
{
    mariadb_again(&mariadb, NULL);
}

static const char *
ask_mariadb(const char *sql)
{
    return mariadb_ask(&mariadb, sql);
}
#endif

static const struct kind kinds[] = {
#ifdef KTM_DRIVE_POSTGRES
    {"postgres", start_postgres, kill_postgres, again_postgres, ask_postgres},
#endif
#ifdef KTM_DRIVE_MARIADB
    {"mariadb", start_mariadb, kill_mariadb, again_mariadb, ask_mariadb},
#endif
    {NULL, NULL, NULL, NULL, NULL},
};

static void
say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void
obey(const struct kind *kind, const char *line)
{
    if (strcmp(line, "kill") == 0) {
        kind->kill();
        say("done");
    } else if (strcmp(line, "again") == 0) {
        kind->again();
        say("done");
    } else if (strncmp(line, "ask ", 4) == 0) {
        say(kind->ask(line + 4));
    } else {
        test_fail(__FILE__, __LINE__, "what is '%s'", line);
    }
}

int
main(int count, char **words)
{
    const struct kind *kind = kinds;
    char *line = NULL;
    size_t size = 0;

    if (count != 3)
        test_fail(__FILE__, __LINE__, "usage: drive postgres|mariadb DIRECTORY");
    while (kind->name && strcmp(kind->name, words[1]) != 0)
        kind++;
    if (!kind->name)
        test_skip(__FILE__, __LINE__, "the resource manager was not built");
    directory = words[2];
    say(kind->start());
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        line[length - 1] = '\0';
        obey(kind, line);
    }
    free(line);
    kind->kill();
    /* Whoever started us may be gone. */
    execl("/bin/rm", "rm", "-rf", "--", directory, (char *)NULL);
    return EXIT_FAILURE;
}
