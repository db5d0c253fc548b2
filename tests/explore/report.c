/* SPDX-License-Identifier: MIT */
/* What is said of a run that went wrong: seed, threads, schedule, and the last steps by name. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/explore/inner.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

enum { STEPS_SHOWN = 120, NAMES_MAX = 512, OBJECTS_MAX = 256 };

static const char *const kinds[] = {"lock", "unlock", "wait",  "wake",  "poll", "start",
                                    "join", "atomic", "point", "pause", "end"};
static const char *const states[] = {"ready", "wants mutex", "waits on word",
                                     "polls", "joins",       "has returned"};

/* ---- names ---- */

struct name {
    const void *address;
    char text[160];
};

static struct name names[NAMES_MAX];
static unsigned name_count;

static const char *
name_of(const void *address)
{
    for (unsigned i = 0; i < name_count; i++)
        if (names[i].address == address)
            return names[i].text;
    return "?";
}

static void
name_wanted(const void *address)
{
    if (address && name_count < NAMES_MAX && strcmp(name_of(address), "?") == 0)
        names[name_count++] = (struct name){.address = address, .text = "-"};
}

/* Of the frames inlined at an address, the first that is not in a header of ours: its function and
 * line. */
static void
name_read(FILE *answer, struct name *name)
{
    char function[96], place[96];
    bool is_found = false;

    while (fscanf(answer, "%95s %95s%*[^\n]", function, place) == 2)
        if (!is_found && !strstr(place, "thread.h:")) {
            snprintf(name->text, sizeof(name->text), "%.60s (%.80s)", function, place);
            is_found = true;
        }
}

/* From the program's debugging information, if addr2line is there. */
static void
names_resolve(void)
{
    Dl_info info;

    for (unsigned i = 0; i < name_count && dladdr(names[i].address, &info); i++) {
        unsigned long offset =
            (unsigned long)((uintptr_t)names[i].address - 1 - (uintptr_t)info.dli_fbase);
        char command[200];
        FILE *answer;

        snprintf(command, sizeof(command), "addr2line -i -f -s -e /proc/%d/exe %lx 2>/dev/null",
                 (int)getpid(), offset);
        answer = popen(command, "r");
        if (answer) {
            name_read(answer, &names[i]);
            pclose(answer);
        }
    }
}

/* Mutexes, words and threads are numbered in the order of their appearance. */
static unsigned
object_number(const void *object)
{
    static const void *objects[OBJECTS_MAX];
    static unsigned count;

    for (unsigned i = 0; i < count; i++)
        if (objects[i] == object)
            return i + 1;
    if (count < OBJECTS_MAX)
        objects[count++] = object;
    return count;
}

/* ---- parts of the report ---- */

static void
show_threads(const struct exploration *it)
{
    for (unsigned i = 0; i < it->worker_count; i++) {
        const struct worker *worker = &it->workers[i];

        fprintf(stderr, "  thread %u %s", i, states[worker->state]);
        if (worker->state != WORKER_READY && worker->state != WORKER_DONE)
            fprintf(stderr, " %u in %s", object_number(worker->object), name_of(worker->caller));
        for (unsigned n = 0; n < it->held_count; n++)
            if (it->held[n].owner == worker)
                fprintf(stderr, ", holds mutex %u", object_number(it->held[n].mutex));
        fputc('\n', stderr);
    }
}

/* "0x12 2x3 …": thread 0 for 12 steps, then thread 2 for 3. */
static void
show_schedule(const struct exploration *it)
{
    uint32_t run = 0;

    fprintf(stderr, "  schedule:");
    for (uint32_t i = 0; i < it->step_count; i += run) {
        for (run = 1; i + run < it->step_count && it->steps[i + run].worker == it->steps[i].worker;)
            run++;
        fprintf(stderr, " %ux%u", it->steps[i].worker, run);
    }
    fputc('\n', stderr);
}

static void
show_steps(const struct exploration *it, uint32_t first)
{
    for (uint32_t i = first; i < it->step_count; i++) {
        const struct step *step = &it->steps[i];

        if (step->kind == STEP_POINT || step->kind == STEP_PAUSE)
            fprintf(stderr, "  %6u %*s%u %s\n", i, 4 * step->worker, "", step->worker,
                    (const char *)step->object);
        else
            fprintf(stderr, "  %6u %*s%u %s %u in %s\n", i, 4 * step->worker, "", step->worker,
                    kinds[step->kind], step->object ? object_number(step->object) : 0,
                    name_of(step->caller));
    }
}

static void
show(const struct exploration *it, const char *why)
{
    bool is_whole = getenv("KTM_SEED") != NULL;
    uint32_t first = is_whole || it->step_count < STEPS_SHOWN ? 0 : it->step_count - STEPS_SHOWN;

    fflush(stdout);
    fprintf(stderr, "%s, under the schedule KTM_SEED=%llu (%u steps):\n", why,
            (unsigned long long)it->seed, it->step_count);
    for (unsigned i = 0; i < it->worker_count; i++)
        name_wanted(it->workers[i].caller);
    for (uint32_t i = first; i < it->step_count; i++)
        name_wanted(it->steps[i].caller);
    names_resolve();
    show_threads(it);
    show_schedule(it);
    show_steps(it, first);
    fflush(stderr);
}

/* ---- whatever ends a test ---- */

void
report(const char *why)
{
    static volatile sig_atomic_t is_said;

    worker_own = NULL;
    if (exploration && !is_said) {
        is_said = 1;
        show(exploration, why);
    }
}

static void
crashed(int number)
{
    report(strsignal(number));
    signal(number, SIG_DFL);
    raise(number);
}

static void
sanitizer_found(void)
{
    report("a sanitizer has found something");
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

void
report_crashes(void)
{
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(sanitizer_found);
        return;
    }
    signal(SIGABRT, crashed);
    signal(SIGSEGV, crashed);
    signal(SIGBUS, crashed);
}

void __real_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void __wrap_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void __real_test_expect_status(const char *file, int line, const char *what, NTSTATUS wanted,
                               NTSTATUS got);
void __wrap_test_expect_status(const char *file, int line, const char *what, NTSTATUS wanted,
                               NTSTATUS got);

void
__wrap_test_fail(const char *file, int line, const char *format, ...)
{
    char text[1000];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    report("an expectation is not met");
    __real_test_fail(file, line, "%s", text);
}

void
__wrap_test_expect_status(const char *file, int line, const char *what, NTSTATUS wanted,
                          NTSTATUS got)
{
    if (wanted != got)
        report("a status is not the expected one");
    __real_test_expect_status(file, line, what, wanted, got);
}
