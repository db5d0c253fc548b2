/* SPDX-License-Identifier: MIT */
/*
 * Runs the tests that are linked with it: all, or those whose full name contains an argument.
 *
 *     test-clfs [--list] [--no-fork] [--verbose] [--rewrite] [FILTER...]
 *
 * A full name is the file without 'tests/' and '.c', a slash and the name: clfs/lsn/lsns_increase.
 * Each test is one cmocka test in a forked child that leads a process group of its own. What the
 * child prints is kept and shown only when the test fails (or with --verbose). Whatever happens to
 * the child is a result of that test: a signal, a time-out, an exit in the middle. --no-fork runs
 * everything in one process, for debuggers. --rewrite lets tests that compare with a file write it
 * anew. The last line is 'N passed, N failed, N skipped'.
 *
 * Environment: KTM_TEST_FILTER (one more filter), KTM_TEST_SECONDS (limit of one test).
 */
#include "tests/test.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_SKIPPED = 77 };
enum { SECONDS_DEFAULT = 120 };

static struct test *tests;
static size_t test_count;

/* The thread and process in which cmocka can end a test by jumping; elsewhere the process ends. */
static pthread_t runner_thread;
static pid_t runner_process;
static bool is_forked; /* one test per process */

static const struct test *running;
static bool was_skipped;
static bool is_rewriting;

/* cmocka catches these to jump out of a crash; a crash shall end the child and be seen as such, by
 * sanitizers too. */
static const int crash_signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
static struct sigaction crash_actions[ARRAY_SIZE(crash_signals)];

void
test_register(struct test *test)
{
    test->next = tests;
    tests = test;
    test_count++;
}

static bool
can_jump(void)
{
    return getpid() == runner_process && pthread_equal(pthread_self(), runner_thread);
}

void
test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (can_jump())
        _fail(file, line);
    fflush(stderr);
    _exit(EXIT_FAILED);
}

void
test_skip(const char *file, int line, const char *reason)
{
    fprintf(stderr, "%s:%d: skipped: %s\n", file, line, reason);
    if (can_jump()) {
        was_skipped = true;
        _skip(file, line);
    }
    fflush(stderr);
    _exit(EXIT_SKIPPED);
}

static const char *
status_text(NTSTATUS status, char number[11])
{
    const char *name = status_name(status);

    snprintf(number, 11, "0x%08X", (unsigned)status);
    return name ? name : "a status without a name";
}

void
test_expect_status(const char *file, int line, const char *what, NTSTATUS wanted, NTSTATUS got)
{
    char wanted_number[11], got_number[11];
    struct status_birth birth;

    if (wanted == got)
        return;
    birth = status_last_birth();
    if (birth.file && birth.status == got)
        fprintf(stderr, "%s:%d: this status was born here\n", birth.file, birth.line);
    test_fail(file, line, "%s\n    is       %s (%s)\n    expected %s (%s)", what,
              status_text(got, got_number), got_number, status_text(wanted, wanted_number),
              wanted_number);
}

void
test_expect_text(const char *file, int line, const char *what, const char *wanted, const char *got)
{
    if (!got)
        test_fail(file, line, "%s is NULL, expected \"%s\"", what, wanted);
    if (strcmp(wanted, got) != 0)
        test_fail(file, line, "%s\n    is       \"%s\"\n    expected \"%s\"", what, got, wanted);
}

void
test_expect_bytes(const char *file, int line, const char *what, const void *wanted, const void *got,
                  size_t size)
{
    const uint8_t *a = wanted, *b = got;

    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            test_fail(file, line, "%s differs at byte %zu of %zu: 0x%02x, expected 0x%02x", what, i,
                      size, b[i], a[i]);
}

/* ---- what tests may ask for ---- */

static char directory[4096];
static char memory_directory[4096];
#define MEMORY "/dev/shm"

/* The child's scratch directory (TMPDIR) has the same last name in memory, so that the runner
 * knows what to remove. */
static void
memory_path(const char *scratch, char path[4096])
{
    const char *name = strrchr(scratch, '/');

    snprintf(path, 4096, MEMORY "%s", name ? name : "/ktm-test");
}

const char *
test_directory(void)
{
    const char *parent = getenv("TMPDIR");

    if (directory[0])
        return directory;
    snprintf(directory, sizeof(directory), "%s/ktm-test-XXXXXX", parent ? parent : "/var/tmp");
    if (!mkdtemp(directory))
        test_fail(__FILE__, __LINE__, "cannot make %s: %s", directory, strerror(errno));
    return directory;
}

const char *
test_memory_directory(void)
{
    if (memory_directory[0])
        return memory_directory;
    memory_path(test_directory(), memory_directory);
    if (is_forked)
        memory_path(getenv("TMPDIR"), memory_directory);
    if (mkdir(memory_directory, 0700) != 0)
        return strcpy(memory_directory, directory);
    if (setxattr(memory_directory, "user.test", "", 0, 0) != 0) {
        rmdir(memory_directory);
        return strcpy(memory_directory, directory);
    }
    removexattr(memory_directory, "user.test");
    return memory_directory;
}

static int
remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position)
{
    (void)info;
    (void)kind;
    (void)position;
    return remove(path);
}

static int
unlock_entry(const char *path, const struct stat *info, int kind, struct FTW *position)
{
    (void)info;
    (void)position;
    return kind == FTW_D || kind == FTW_DNR ? chmod(path, 0700) : 0;
}

static void
directory_remove(const char *path)
{
    nftw(path, unlock_entry, 16, FTW_PHYS);
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
test_source(void)
{
    const char *path = getenv("KTM_SOURCE");

    return path ? path : KTM_SOURCE;
}

const char *
test_build(void)
{
    const char *path = getenv("KTM_BUILD");

    return path ? path : KTM_BUILD;
}

unsigned
test_soak_seconds(void)
{
    const char *text = getenv("KTM_SOAK");

    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

const char *
test_name(void)
{
    return running->name;
}

bool
test_rewrites(void)
{
    return is_rewriting;
}

static bool
sweep_is(const char *kind)
{
    const char *text = getenv("KTM_SWEEP");

    return text && strcmp(text, kind) == 0;
}

bool
test_sweep_is_full(void)
{
    return sweep_is("full");
}

bool
test_sweep_is_short(void)
{
    return sweep_is("short");
}

/* ---- one test ---- */

static void
run_in_cmocka(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
        sigaction(crash_signals[i], &crash_actions[i], NULL);
    running->run();
}

/* Runs one test in this process. */
static int
test_run_here(const struct test *test)
{
    const struct CMUnitTest one[] = {{.name = test->name, .test_func = run_in_cmocka}};
    int failed;

    running = test;
    was_skipped = false;
    runner_thread = pthread_self();
    runner_process = getpid();
    failed = _cmocka_run_group_tests(test->file, one, 1, NULL, NULL);
    fflush(NULL);
    if (!is_forked && directory[0]) {
        directory_remove(directory);
        directory_remove(memory_directory);
        directory[0] = memory_directory[0] = '\0';
    }
    return failed ? EXIT_FAILED : was_skipped ? EXIT_SKIPPED : EXIT_PASSED;
}

static int
seconds_max(void)
{
    const char *text = getenv("KTM_TEST_SECONDS");
    int seconds = text ? atoi(text) : 0;

    return (seconds > 0 ? seconds : SECONDS_DEFAULT) + (int)test_soak_seconds();
}

/* The child's half: its own group, no terminal input, output kept in 'output'. */
static void
child_run(const struct test *test, int output, const char *parent_directory)
{
    static const struct rlimit no_core = {0, 0};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setenv("TMPDIR", parent_directory, 1);
    exit(test_run_here(test));
}

static bool
child_ends_in_time(pid_t child)
{
    struct pollfd ends = {.fd = pidfd_open(child, 0), .events = POLLIN};
    int ready;

    do
        ready = poll(&ends, 1, seconds_max() * 1000);
    while (ready < 0 && errno == EINTR);
    close(ends.fd);
    return ready != 0;
}

/* cmocka's own lines around a test, which say nothing that we do not say. */
static bool
is_chatter(const char *line)
{
    static const char *const starts[] = {"[====",     "[ RUN",      "[  FAILED",
                                         "[  PASSED", "[  SKIPPED", " 1 "};

    EACH (start, starts)
        if (strncmp(line, *start, strlen(*start)) == 0)
            return true;
    return line[0] == '\n' || strstr(line, ": error: Failure!") != NULL;
}

static void
show(int output)
{
    FILE *kept = fdopen(dup(output), "r");
    char *line = NULL;
    size_t size = 0;

    rewind(kept);
    while (getline(&line, &size, kept) > 0)
        if (!is_chatter(line))
            fputs(line, stdout);
    free(line);
    fclose(kept);
}

/* Runs one test in a child process; what it leaves behind (processes, files) is removed. */
static int
test_run_forked(const struct test *test, bool is_verbose)
{
    char scratch[4096], in_memory[4096], why[64] = "";
    const char *parent = getenv("TMPDIR");
    int output = memfd_create("output", MFD_CLOEXEC);
    int status, result = EXIT_FAILED;
    bool in_time;
    pid_t child;

    snprintf(scratch, sizeof(scratch), "%s/ktm-test-XXXXXX", parent ? parent : "/var/tmp");
    if (output < 0 || !mkdtemp(scratch)) {
        perror("test runner");
        exit(EXIT_FAILED);
    }
    fflush(NULL);
    child = fork();
    if (child == 0)
        child_run(test, output, scratch);
    setpgid(child, child);
    in_time = child_ends_in_time(child);
    kill(-child, SIGKILL);
    waitpid(child, &status, 0);

    if (!in_time)
        snprintf(why, sizeof(why), ": did not end within %d s", seconds_max());
    else if (WIFSIGNALED(status))
        snprintf(why, sizeof(why), ": killed by signal %d", WTERMSIG(status));
    else
        result = WEXITSTATUS(status);
    if (result != EXIT_PASSED && result != EXIT_SKIPPED) {
        show(output);
        result = EXIT_FAILED;
        printf("FAILED %s:%d: %s%s\n", test->file, test->line, test->name, why);
    } else if (is_verbose || result == EXIT_SKIPPED) {
        show(output);
    }
    close(output);
    directory_remove(scratch);
    memory_path(scratch, in_memory);
    directory_remove(in_memory);
    return result;
}

/* ---- all tests ---- */

static int
by_place(const void *a, const void *b)
{
    const struct test *const *x = a, *const *y = b;
    int order = strcmp((*x)->file, (*y)->file);

    return order ? order : (*x)->line - (*y)->line;
}

/* Writes the full name: 'tests/clfs/lsn.c' and 'x' give 'clfs/lsn/x'. */
static void
full_name(const struct test *test, char name[512])
{
    const char *file = strncmp(test->file, "tests/", 6) == 0 ? test->file + 6 : test->file;

    snprintf(name, 512, "%.*s/%s", (int)strcspn(file, "."), file, test->name);
}

static bool
is_wanted(const struct test *test, char **filters, int filter_count)
{
    const char *filter = getenv("KTM_TEST_FILTER");
    bool wanted = filter_count == 0;
    char name[512];

    full_name(test, name);
    if (filter && !strstr(name, filter))
        return false;
    for (int i = 0; i < filter_count; i++)
        wanted |= strstr(name, filters[i]) != NULL;
    return wanted;
}

int
main(int argc, char **argv)
{
    struct test **sorted = calloc(test_count + 1, sizeof(*sorted));
    bool is_list = false, is_verbose = false;
    unsigned passed = 0, failed = 0, skipped = 0;
    size_t count = 0;

    is_forked = true;
    for (argv++, argc--; argc > 0 && strncmp(*argv, "--", 2) == 0; argv++, argc--) {
        if (strcmp(*argv, "--list") == 0) {
            is_list = true;
        } else if (strcmp(*argv, "--no-fork") == 0) {
            is_forked = false;
        } else if (strcmp(*argv, "--verbose") == 0) {
            is_verbose = true;
        } else if (strcmp(*argv, "--rewrite") == 0) {
            is_rewriting = true;
        } else {
            fprintf(
                stderr,
                "usage: test-<room> [--list] [--no-fork] [--verbose] [--rewrite] [FILTER...]\n");
            return 2;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
        sigaction(crash_signals[i], NULL, &crash_actions[i]);
    for (struct test *test = tests; test; test = test->next)
        sorted[count++] = test;
    qsort(sorted, count, sizeof(*sorted), by_place);

    for (size_t i = 0; i < count; i++) {
        char name[512];
        int result;

        if (!is_wanted(sorted[i], argv, argc))
            continue;
        full_name(sorted[i], name);
        if (is_list) {
            puts(name);
            continue;
        }
        result = is_forked ? test_run_forked(sorted[i], is_verbose) : test_run_here(sorted[i]);
        passed += result == EXIT_PASSED;
        failed += result == EXIT_FAILED;
        skipped += result == EXIT_SKIPPED;
    }
    free(sorted);
    if (!is_list)
        printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0;
}
