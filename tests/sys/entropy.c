/* SPDX-License-Identifier: MIT */
/* Random bytes: never the same twice, in threads and forked children neither; nothing left over. */
#include "tests/test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/entropy.h"
#include "sys/sys.h"

struct draw {
    uint8_t bytes[16];
};

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct draw));
}

static void
expect_all_different(struct draw *draws, size_t count)
{
    qsort(draws, count, sizeof(*draws), by_bytes);
    for (size_t i = 1; i < count; i++)
        EXPECT(by_bytes(&draws[i - 1], &draws[i]) != 0);
}

TEST(draws_across_many_refills_are_all_different)
{
    enum { COUNT = 20000 }; /* about ten pools */
    struct draw *draws = calloc(COUNT, sizeof(*draws));

    for (size_t i = 0; i < COUNT; i++)
        sys_random(sys_linux(), draws[i].bytes, sizeof(draws[i]));
    expect_all_different(draws, COUNT);
    free(draws);
}

TEST(every_size_is_filled_to_the_last_byte_and_not_beyond)
{
    static const size_t sizes[] = {0, 1, 7, 16, 255, 256, 257, 4096, 32768, 32769, 100000};
    uint8_t *bytes = malloc(100001);

    EACH (size, sizes) {
        unsigned last_byte_seen = 0;
        for (int round = 0; round < 64; round++) {
            memset(bytes, 0, *size + 1);
            entropy_take(bytes, *size);
            EXPECT_EQ(0, bytes[*size]);
            last_byte_seen |= *size ? bytes[*size - 1] : 0xFF;
        }
        EXPECT_EQ(0xFF, last_byte_seen);
    }
    free(bytes);
}

TEST(bits_are_as_often_set_as_not)
{
    unsigned set = 0;
    uint8_t bytes[200];

    for (int round = 0; round < 500; round++) {
        entropy_take(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++)
            set += (unsigned)__builtin_popcount(bytes[i]);
    }
    EXPECT(set > 395000 && set < 405000); /* of 800000; eleven standard deviations */
}

TEST(a_forked_child_never_repeats_what_its_parent_draws)
{
    enum { EACH_DRAWS = 50, CHILDREN = 3, COUNT = EACH_DRAWS * (CHILDREN + 1) };
    struct draw *draws = mmap(NULL, COUNT * sizeof(*draws), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct draw first;

    entropy_take(first.bytes, sizeof(first)); /* so that the pool is full when we fork */
    for (size_t child = 0; child <= CHILDREN; child++) {
        pid_t pid = child < CHILDREN ? fork() : -1;
        if (pid > 0)
            continue;
        for (size_t i = 0; i < EACH_DRAWS; i++)
            entropy_take(draws[child * EACH_DRAWS + i].bytes, sizeof(*draws));
        if (pid == 0)
            _exit(0);
    }
    for (size_t child = 0; child < CHILDREN; child++)
        EXPECT(wait(NULL) > 0);
    expect_all_different(draws, COUNT);
}

/* Memory that is wiped on fork, in KiB: the pools, and nothing else. */
static size_t
pool_memory(void)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[4096];
    size_t size = 0, sum = 0;

    EXPECT(maps);
    while (fgets(line, sizeof(line), maps)) {
        sscanf(line, "Size: %zu kB", &size);
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wf"))
            sum += size;
    }
    fclose(maps);
    return sum;
}

static void *
draw_in_thread(void *into)
{
    entropy_take(into, 16);
    return NULL;
}

TEST(threads_draw_differently_and_leave_nothing_behind)
{
    enum { COUNT = 200 };
    struct draw draws[COUNT], own;
    pthread_t threads[4];

    entropy_take(own.bytes, sizeof(own));
    if (pool_memory() == 0)
        SKIP("this system cannot wipe memory on fork, so there are no pools");
    EXPECT_EQ(36, pool_memory());
    for (size_t i = 0; i < COUNT; i += ARRAY_SIZE(threads)) {
        for (size_t k = 0; k < ARRAY_SIZE(threads); k++)
            EXPECT_EQ(0, pthread_create(&threads[k], NULL, draw_in_thread, &draws[i + k]));
        for (size_t k = 0; k < ARRAY_SIZE(threads); k++)
            EXPECT_EQ(0, pthread_join(threads[k], NULL));
    }
    expect_all_different(draws, COUNT);
    EXPECT_EQ(36, pool_memory());
}
