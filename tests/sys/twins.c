/* SPDX-License-Identifier: MIT */
/*
 * The simulation against the real thing: the same calls, drawn at random, must have the same
 * statuses and results on both.
 */
#include "tests/sys/files.h"

#include "sys/sim.h"

enum { SLOTS = 4, LISTED_MAX = 64 };

/* One of the two systems: where it works, and what it has open. */
struct twin {
    struct sys *sys;
    char top[4000];
    struct sys_file *slots[SLOTS];
};

static const char *const paths[] = {
    "a",     "b",    "c", "d",     "e",       "d/a", "d/b",    "d/e", "e/a",  "e/d",  "a/x", "no/x",
    "a",     "b",    "d", "d/a",   "d/e/a",   "./a", "d/../b", "d/.", "d/.",  "e/..", "d//", "e//a",
    "no/..", "a/..", "",  "no/x/", "d/a/./b", "a/",  "b/",     "d/",  "d/a/", "e//"};

static const char *
at(const struct twin *twin, const char *path)
{
    static char texts[2][8192];
    static unsigned next;
    char *text = texts[next++ % 2];

    if (path[0] == '\0')
        return "";
    snprintf(text, sizeof(texts[0]), "%s/%s", twin->top, path);
    return text;
}

/* ---- one step, the same on each twin ---- */

enum kind {
    OPEN,
    CLOSE,
    READ,
    WRITE,
    SYNC,
    ALLOCATE,
    INFO,
    RENAME,
    UNLINK,
    MAKE,
    DIRECTORY_SYNC,
    LIST,
    KINDS
};

struct step {
    enum kind kind;
    unsigned slot, flags;
    const char *path, *to;
    uint64_t offset, size;
    char letter;
};

struct result {
    NTSTATUS status;
    size_t got;
    uint8_t data[3000];
    char *names[LISTED_MAX];
    size_t name_count;
};

static void
take_name(void *context, const char *name)
{
    struct result *result = context;

    EXPECT(result->name_count < LISTED_MAX);
    result->names[result->name_count++] = strdup(name);
}

static NTSTATUS
step_file(struct sys_file *file, const struct step *step, struct result *result)
{
    uint8_t data[3000];
    struct bytes parts[3] = {bytes_of(data, step->size / 3), bytes_of(data, 0),
                             bytes_of(data, step->size - step->size / 3)};
    struct sys_info info;
    NTSTATUS status;

    memset(data, step->letter, sizeof(data));
    switch (step->kind) {
    case READ:
        return sys_file_read(file, result->data, step->size, step->offset, &result->got);
    case WRITE:
        return sys_file_write(file, parts, 3, step->offset);
    case SYNC:
        return sys_file_sync(file);
    case ALLOCATE:
        return sys_file_allocate(file, step->offset);
    default:
        status = sys_file_info(file, &info);
        result->got = info.size;
        EXPECT_EQ(0600, info.mode);
        return status;
    }
}

static NTSTATUS
step_do(struct twin *twin, const struct step *step, struct result *result)
{
    struct sys_file **slot = &twin->slots[step->slot];
    struct sys_file *opened_file;
    NTSTATUS status;

    switch (step->kind) {
    case OPEN:
        status = sys_file_open(twin->sys, at(twin, step->path), step->flags, &opened_file);
        if (status == STATUS_SUCCESS) {
            sys_file_close(*slot);
            *slot = opened_file;
        }
        return status;
    case CLOSE:
        sys_file_close(*slot);
        *slot = NULL;
        return STATUS_SUCCESS;
    case RENAME:
        return sys_rename(twin->sys, at(twin, step->path), at(twin, step->to), step->flags & 1);
    case UNLINK:
        return sys_unlink(twin->sys, at(twin, step->path));
    case MAKE:
        return sys_directory_make(twin->sys, at(twin, step->path));
    case DIRECTORY_SYNC:
        return sys_directory_sync(twin->sys, at(twin, step->path));
    case LIST:
        return sys_directory_list(twin->sys, at(twin, step->path), take_name, result);
    default:
        return *slot ? step_file(*slot, step, result) : STATUS_INVALID_HANDLE;
    }
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *
describe(const struct step *step)
{
    static const char *const words[] = {"open",   "close",    "read",           "write",
                                        "sync",   "allocate", "info",           "rename",
                                        "unlink", "make",     "directory_sync", "list"};
    static char text[256];

    snprintf(text, sizeof(text), "%s slot %u flags %u '%s' '%s' offset %llu size %llu",
             words[step->kind], step->slot, step->flags, step->path, step->to,
             (unsigned long long)step->offset, (unsigned long long)step->size);
    return text;
}

static void
expect_same(struct twin twins[2], const struct step *step)
{
    static struct result results[2];

    for (int i = 0; i < 2; i++) {
        memset(&results[i], 0, sizeof(results[i]));
        results[i].status = step_do(&twins[i], step, &results[i]);
        if (results[i].name_count > 0)
            qsort(results[i].names, results[i].name_count, sizeof(char *), by_text);
    }
    test_expect_status(__FILE__, __LINE__, describe(step), results[0].status, results[1].status);
    EXPECT_EQ(results[0].got, results[1].got);
    EXPECT_BYTES(results[0].data, results[1].data, sizeof(results[0].data));
    EXPECT_EQ(results[0].name_count, results[1].name_count);
    for (size_t i = 0; i < results[0].name_count; i++) {
        EXPECT_TEXT(results[0].names[i], results[1].names[i]);
        free(results[0].names[i]);
        free(results[1].names[i]);
    }
}

/* ---- drawing steps ---- */

static unsigned
draw(uint64_t *state, unsigned below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % below;
}

static struct step
draw_step(uint64_t *state)
{
    static const unsigned flags[] = {RW,       RW | SYS_CREATE, NEW,
                                     SYS_READ, SYS_WRITE,       SYS_WRITE | SYS_CREATE};
    static const uint64_t odd_offsets[] = {INT64_MAX, UINT64_MAX};
    static const enum kind kinds[] = {OPEN, OPEN, OPEN, WRITE, WRITE, WRITE, READ, RENAME, MAKE};
    struct step step = {.slot = draw(state, SLOTS),
                        .path = paths[draw(state, ARRAY_SIZE(paths))],
                        .to = paths[draw(state, ARRAY_SIZE(paths))],
                        .offset = draw(state, 4000),
                        .size = draw(state, 3000),
                        .letter = (char)('a' + draw(state, 26))};

    step.kind = draw(state, 2) ? kinds[draw(state, ARRAY_SIZE(kinds))] : draw(state, KINDS);
    step.flags = step.kind == OPEN ? flags[draw(state, ARRAY_SIZE(flags))] : draw(state, 2);
    if (draw(state, 40) == 0)
        step.offset = odd_offsets[draw(state, ARRAY_SIZE(odd_offsets))];
    /* Of two names that are both wrong, which one is blamed is nobody's promise. */
    if (step.kind == RENAME && (!step.path[0] || !step.to[0]))
        step.path = step.to = "";
    return step;
}

static void
run_twins(struct sys_sim *sim, uint64_t seed, const char *directory)
{
    struct twin twins[2] = {{.sys = sys_linux()}, {.sys = sys_sim_process(sim), .top = "/top"}};
    uint64_t state = seed;

    snprintf(twins[0].top, sizeof(twins[0].top), "%s/%llu", directory, (unsigned long long)seed);
    for (int i = 0; i < 2; i++)
        EXPECT_OK(sys_directory_make(twins[i].sys, twins[i].top));
    for (int i = 0; i < 400; i++) {
        struct step step = draw_step(&state);
        expect_same(twins, &step);
    }
    for (int i = 0; i < 2; i++)
        EACH (slot, twins[i].slots)
            sys_file_close(*slot);
}

TEST(any_sequence_of_calls_has_the_same_results_on_linux_and_in_the_simulation)
{
    uint64_t runs = test_sweep_is_full() ? 2000 : 100;

    for (uint64_t seed = 1; seed <= runs; seed++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
        run_twins(sim, seed, test_directory());
    }
}

TEST(names_of_every_length_have_the_same_status)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct twin twins[2] = {{.sys = sys_linux()}, {.sys = sys_sim_process(sim), .top = "/top"}};
    static const size_t sizes[] = {1, 200, 255, 256, 300, 3000, 5000};
    static char name[5001];

    snprintf(twins[0].top, sizeof(twins[0].top), "%s", test_directory());
    EXPECT_OK(sys_directory_make(twins[1].sys, twins[1].top));
    EACH (size, sizes) {
        struct step step = {.kind = OPEN, .flags = NEW, .path = name, .to = name};

        memset(name, 'n', *size);
        name[*size] = '\0';
        expect_same(twins, &step);
        step.kind = CLOSE;
        expect_same(twins, &step);
        step.kind = UNLINK;
        expect_same(twins, &step);
        step.kind = MAKE;
        expect_same(twins, &step);
    }
}
