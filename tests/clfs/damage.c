/* SPDX-License-Identifier: MIT */
/*
 * Damaged files: whatever bytes are there, the answer is a status, never a crash, never an endless
 * loop, never a record that was not written [CLFS-HARD-01]. A log is made on the simulated disk,
 * spoiled in some way, and opened; what opens is read through.
 */
#include "tests/clfs/world.h"

#include <unistd.h>

#define PATH    "/log"
#define RECORDS 60u

struct file {
    const char *path;
    uint8_t *data;
    size_t size;
};

struct victim {
    struct sys_sim *sim;
    struct sys *process;
    struct file files[4]; /* as they were */
    uint64_t base, last, restart;
};

static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
    uint64_t x = seed += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % below;
}

/* Record number i holds i and a fill that depends on it; a reader can tell whether it is genuine.
 */
static void
content_make(uint32_t i, uint8_t *into, uint32_t *size)
{
    *size = 8 + (i * 997) % 30000;
    memset(into, (int)(i * 31), *size);
    le32_put(into, i);
    le32_put(into + 4, ~i);
}

static bool
is_genuine(const struct clfs_record *record)
{
    static uint8_t wanted[40000];
    uint32_t i, size;

    if (record->type == CLFS_RESTART)
        return record->data.size == 4 && memcmp(record->data.at, "mark", 4) == 0;
    if (record->data.size < 8)
        return false;
    i = le32_get(record->data.at);
    content_make(i, wanted, &size);
    return i < RECORDS && size == record->data.size && memcmp(wanted, record->data.at, size) == 0;
}

static void
fill(struct clfs_area *area, struct victim *victim)
{
    static uint8_t data[40000];
    uint64_t lsn = CLFS_LSN_NONE, kept = 0;

    for (uint32_t i = 0; i < RECORDS; i++) {
        struct bytes part = {.at = data};
        uint32_t size;

        content_make(i, data, &size);
        part.size = size;
        EXPECT_OK(clfs_append(area, &part, 1, lsn, lsn, 0, &lsn));
        if (i == 10)
            kept = lsn;
        if (i % 7 == 0)
            EXPECT_OK(clfs_flush(area, lsn, NULL));
        if (i == 40)
            EXPECT_OK(clfs_write_restart(area, bytes_of("mark", 4), kept, 0, &victim->restart));
    }
    EXPECT_OK(clfs_flush(area, 0, NULL));
}

static void
victim_make(struct victim *victim, bool is_clean)
{
    static uint64_t identity; /* another one each time */

    static const char *const paths[] = {PATH ".blf", PATH ".c0001", PATH ".c0002", PATH ".c0003"};
    struct clfs_log *log;
    struct clfs_area *area;

    victim->sim = sys_sim_create(++identity);
    victim->process = sys_sim_process(victim->sim);
    log = log_with(victim->process, PATH, 3);
    area = area_of(log, 64 << 10);
    fill(area, victim);
    victim->base = info_of(log).base_lsn;
    victim->last = info_of(log).last_lsn;
    if (!is_clean)
        sys_sim_power_on(victim->sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
        void *data;

        victim->files[i].path = paths[i];
        EXPECT_OK(sys_sim_dump(victim->sim, paths[i], &data, &victim->files[i].size));
        victim->files[i].data = data;
    }
}

static void
victim_restore(struct victim *victim)
{
    EACH (file, victim->files)
        EXPECT_OK(sys_sim_load(victim->sim, file->path, file->data, file->size));
}

static void
victim_free(struct victim *victim)
{
    EACH (file, victim->files)
        free(file->data);
    sys_sim_destroy(victim->sim);
}

/* ---- what may come of it ---- */

static bool
is_open_status(NTSTATUS status)
{
    static const NTSTATUS allowed[] = {
        STATUS_SUCCESS,
        STATUS_LOG_BLOCK_VERSION,
        STATUS_LOG_METADATA_CORRUPT,
        STATUS_LOG_METADATA_INVALID,
        STATUS_LOG_METADATA_INCONSISTENT,
        STATUS_LOG_CONTAINER_STATE_INVALID,
        STATUS_LOG_CONTAINER_OPEN_FAILED,
        STATUS_LOG_CONTAINER_READ_FAILED,
        STATUS_LOG_MULTIPLEXED,
        STATUS_LOG_STATE_INVALID,
    };

    EACH (it, allowed)
        if (*it == status)
            return true;
    return false;
}

static bool
is_read_status(NTSTATUS status)
{
    return status == STATUS_SUCCESS || status == STATUS_END_OF_FILE ||
           status == STATUS_LOG_START_OF_LOG || status == STATUS_NOT_FOUND ||
           status == STATUS_LOG_BLOCK_INVALID || status == STATUS_LOG_BLOCK_VERSION ||
           status == STATUS_LOG_BLOCK_INCOMPLETE || status == STATUS_LOG_RESTART_INVALID ||
           status == STATUS_LOG_NO_RESTART || status == STATUS_LOG_CONTAINER_READ_FAILED;
}

/* Follows a reader to its end; *count: how many records it gave. */
static NTSTATUS
follow(struct clfs_reader *reader, struct clfs_record *record, NTSTATUS status, unsigned *count)
{
    while (status == STATUS_SUCCESS) {
        EXPECT(is_genuine(record));
        EXPECT(++*count <= RECORDS + 1); /* no loop */
        status = clfs_read_next(reader, CLFS_ANY, NULL, record);
    }
    EXPECT(is_read_status(status));
    return status;
}

/* Opens it and reads it every way. *all: every record was there. */
static NTSTATUS
open_and_read(struct victim *victim, bool writable, bool *all)
{
    struct clfs_log *log = NULL;
    struct clfs_area *area = NULL;
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    struct clfs_info info;
    NTSTATUS status, read;
    unsigned count = 0;

    *all = false;
    status = clfs_log_open(victim->process, PATH, CLFS_OPEN_EXISTING, writable, &log);
    EXPECT(is_open_status(status));
    if (status != STATUS_SUCCESS)
        return status;
    info = info_of(log);
    if (info.containers < 2) {
        EXPECT_OK(clfs_log_close(log));
        return status;
    }
    EXPECT_OK(clfs_area_create(log, 64 << 10, &area));
    read = clfs_read(area, info.base_lsn, CLFS_FORWARD, &record, &reader);
    read = follow(reader, &record, read, &count);
    *all = read == STATUS_END_OF_FILE && count >= RECORDS - 10 + 1 && info.last_lsn == victim->last;
    clfs_reader_destroy(give(reader));
    count = 0;
    if (info.last_lsn > info.base_lsn) {
        read = clfs_read(area, info.last_lsn - 1, CLFS_PREVIOUS, &record, &reader);
        (void)!follow(reader, &record, read, &count);
        clfs_reader_destroy(give(reader));
    }
    read = clfs_read_restart(area, &record, &reader);
    EXPECT(is_read_status(read));
    for (count = 0; read == STATUS_SUCCESS && count < 5; count++)
        read = clfs_read_previous_restart(reader, &record);
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    return status;
}

/* A writable log accepted as whole must not have lost anything; reading alone must not write. */
static void
judge(struct victim *victim)
{
    uint64_t operations = sys_sim_counts(victim->sim, NULL).operations;
    bool all_read, all_written;
    NTSTATUS read = open_and_read(victim, false, &all_read), write;

    EXPECT_EQ(operations, sys_sim_counts(victim->sim, NULL).operations);
    write = open_and_read(victim, true, &all_written);
    if (write == STATUS_SUCCESS)
        EXPECT_OK(read);
}

static void
spoil(struct victim *victim, unsigned which, size_t at, const void *bytes, size_t size)
{
    struct file *file = &victim->files[which];
    uint8_t *copy = malloc(file->size);

    memcpy(copy, file->data, file->size);
    memcpy(copy + at, bytes, at + size <= file->size ? size : file->size - at);
    EXPECT_OK(sys_sim_load(victim->sim, file->path, copy, file->size));
    free(copy);
}

/* ---- the sweeps ---- */

/* Where the bytes matter: the used parts of both copies, and around each block's start. */
static size_t
interesting(const struct file *file, unsigned which)
{
    if (which == 0)
        return draw(2) * (file->size / 2) + draw(3000);
    return draw(4) ? draw(2000) : draw(file->size);
}

TEST(spoiled_bytes_never_do_more_than_fail) /* CLFS-HARD-01 -02 -05 -13 -27 -29 -31 -36 */
{
    unsigned rounds = test_sweep_is_full() ? 20000 : test_sweep_is_short() ? 120 : 700;
    struct victim victim;

    for (int is_clean = 0; is_clean < 2; is_clean++) {
        victim_make(&victim, is_clean);
        for (unsigned i = 0; i < rounds; i++) {
            unsigned which = (unsigned)draw(4);
            uint8_t junk[700];
            size_t size = 1 + draw(draw(3) ? 4 : sizeof(junk));

            for (size_t k = 0; k < size; k++)
                junk[k] = (uint8_t)draw(256);
            if (draw(5) == 0)
                memset(junk, draw(2) ? 0 : 0xFF, size);
            spoil(&victim, which, interesting(&victim.files[which], which), junk, size);
            if (draw(3) == 0)
                spoil(&victim, (which + 1) % 4,
                      interesting(&victim.files[(which + 1) % 4], (which + 1) % 4), junk, size);
            judge(&victim);
            victim_restore(&victim);
        }
        victim_free(&victim);
    }
}

/* The metadata is spoiled and signed again, so that what is behind the checksum meets it. */
TEST(signed_nonsense_in_the_metadata_never_does_more_than_fail) /* CLFS-HARD-02 -14..25 */
{
    unsigned rounds = test_sweep_is_full() ? 20000 : test_sweep_is_short() ? 120 : 700;
    struct victim victim;

    victim_make(&victim, false);
    for (unsigned i = 0; i < rounds; i++) {
        struct file *base = &victim.files[0];
        uint8_t *copy = malloc(base->size);

        memcpy(copy, base->data, base->size);
        for (unsigned half = 0; half < 2; half++) {
            uint8_t *at = copy + half * (base->size / 2);
            size_t field = 8 + draw(2552);
            uint32_t crc, size = le32_get(at + 16);

            switch (draw(3)) {
            case 0:
                at[field] ^= (uint8_t)(1 + draw(255));
                break;
            case 1:
                le64_put(at + field - field % 8, draw(2) ? UINT64_MAX - draw(1024) : draw(1 << 20));
                break;
            default:
                le32_put(at + field - field % 4, (uint32_t)(draw(2) ? draw(8) : draw(UINT32_MAX)));
            }
            if (le32_get(at + 16) != size && draw(2))
                le32_put(at + 16, size);
            size = le32_get(at + 16) <= base->size / 2 ? le32_get(at + 16) : size;
            le32_put(at + 20, 0);
            crc = crc32c(0, at, size);
            le32_put(at + 20, crc ? crc : UINT32_MAX);
        }
        EXPECT_OK(sys_sim_load(victim.sim, base->path, copy, base->size));
        free(copy);
        judge(&victim);
        victim_restore(&victim);
    }
    victim_free(&victim);
}

TEST(files_of_another_length_or_another_log_are_refused) /* CLFS-HARD-10 -26 -27 CLFS-CREATE-35 */
{
    struct victim victim, other;
    bool all;

    victim_make(&victim, true);
    victim_make(&other, true);
    for (unsigned which = 0; which < 4; which++) {
        struct file *file = &victim.files[which];
        size_t lengths[] = {0, 1, 511, 512, 513, file->size / 2, file->size - 1, file->size + 1};
        uint8_t *longer = calloc(1, file->size + 1);

        memcpy(longer, file->data, file->size);
        EACH (length, lengths) {
            EXPECT_OK(sys_sim_load(victim.sim, file->path, longer, *length));
            EXPECT_STATUS(which ? STATUS_LOG_METADATA_INCONSISTENT : STATUS_LOG_METADATA_CORRUPT,
                          open_and_read(&victim, true, &all));
        }
        free(longer);
        EXPECT_OK(sys_unlink(victim.process, file->path));
        EXPECT_STATUS(which ? STATUS_LOG_CONTAINER_OPEN_FAILED : STATUS_OBJECT_NAME_NOT_FOUND,
                      which ? open_and_read(&victim, true, &all) : STATUS_OBJECT_NAME_NOT_FOUND);
        EXPECT_OK(sys_directory_make(victim.process, file->path));
        EXPECT_STATUS(which ? STATUS_LOG_CONTAINER_OPEN_FAILED : STATUS_LOG_METADATA_CORRUPT,
                      open_and_read(&victim, true, &all));
        EXPECT_OK(sys_rename(victim.process, file->path, "/away", false));
        EXPECT_OK(sys_rename(victim.process, "/away",
                             which == 0   ? "/away0"
                             : which == 1 ? "/away1"
                             : which == 2 ? "/away2"
                                          : "/away3",
                             false));
        /* the same file of another log: its identity is not ours */
        spoil(&victim, which, 0, other.files[which].data, other.files[which].size);
        EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT, open_and_read(&victim, true, &all));
        victim_restore(&victim);
        EXPECT_OK(open_and_read(&victim, true, &all));
        EXPECT(all);
        victim_restore(&victim);
    }
    /* two containers that have changed places; the wrong number of one */
    spoil(&victim, 1, 0, victim.files[2].data, victim.files[2].size);
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT, open_and_read(&victim, true, &all));
    spoil(&victim, 2, 0, victim.files[1].data, victim.files[1].size);
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT, open_and_read(&victim, true, &all));
    victim_free(&victim);
    victim_free(&other);
}

TEST(a_block_of_another_log_is_not_accepted) /* CLFS-HARD-34 */
{
    struct victim victim, other;
    bool all;

    victim_make(&victim, false);
    victim_make(&other, false);
    /* some blocks of the second container: the addresses are right, the identity is not */
    spoil(&victim, 2, 512, other.files[2].data + 512, 60000);
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT, open_and_read(&victim, true, &all));
    EXPECT_OK(open_and_read(&victim, false, &all)); /* for salvage: what comes before can be read */
    EXPECT(!all);
    victim_free(&victim);
    victim_free(&other);
}

TEST(damage_below_what_was_durable_is_never_an_end) /* CLFS-DUR-20 OP-20 CLFS-HARD-29 */
{
    for (int is_clean = 0; is_clean < 2; is_clean++) {
        struct victim victim;
        bool all;

        victim_make(&victim, is_clean);
        for (uint64_t at = 512; at < CONTAINER; at += 20011) {
            for (unsigned which = 1; which <= 2; which++) {
                uint8_t byte = victim.files[which].data[at] ^ 0x55;
                NTSTATUS status;

                if (which == 2 && at > 200000) /* behind the end */
                    continue;
                spoil(&victim, which, at, &byte, 1);
                status = open_and_read(&victim, true, &all);
                /* Below the base, or in the slack of a container, it hurts nobody. */
                if (!(status == STATUS_SUCCESS && all))
                    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT, status);
                victim_restore(&victim);
            }
        }
        victim_free(&victim);
    }
}

TEST(one_damaged_copy_of_the_metadata_is_repaired) /* CLFS-HARD-13 */
{
    struct victim victim;
    uint8_t zeros[2560] = {0}, *copy;
    bool all;

    for (int half = 0; half < 2; half++) {
        for (int is_clean = 0; is_clean < 2; is_clean++) {
            void *after;
            size_t size;

            victim_make(&victim, is_clean);
            size = victim.files[0].size;
            spoil(&victim, 0, (size_t)half * (size / 2), zeros, sizeof(zeros));
            EXPECT_OK(open_and_read(&victim, false, &all));
            EXPECT(all); /* nothing is lost with one copy, whichever it was */
            EXPECT_OK(open_and_read(&victim, true, &all));
            EXPECT(all);
            EXPECT_OK(sys_sim_dump(victim.sim, PATH ".blf", &after, &size));
            EXPECT_EQ(0, memcmp((uint8_t *)after + half * (size / 2), "KTMBASE", 7));
            free(after);
            victim_free(&victim);
        }
    }
    victim_make(&victim, true); /* one generation twice, with different content */
    copy = malloc(victim.files[0].size);
    memcpy(copy, victim.files[0].data, victim.files[0].size);
    memcpy(copy, copy + victim.files[0].size / 2, 2560);
    EXPECT_OK(sys_sim_load(victim.sim, PATH ".blf", copy, victim.files[0].size));
    EXPECT_OK(open_and_read(&victim, false, &all)); /* the same content: no contradiction */
    copy[80]++;
    le32_put(copy + 20, 0);
    le32_put(copy + 20, crc32c(0, copy, le32_get(copy + 16)));
    EXPECT_OK(sys_sim_load(victim.sim, PATH ".blf", copy, victim.files[0].size));
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT, open_and_read(&victim, true, &all));
    free(copy);
    victim_free(&victim);
}

TEST(each_copy_alone_knows_the_epoch) /* CLFS-HARD-13 CLFS-DUR-19 */
{
    uint8_t zeros[2560] = {0};

    for (int half = 0; half < 2; half++) {
        struct sys_sim *sim = sys_sim_create(1);
        struct sys *process = sys_sim_process(sim);
        struct clfs_log *log = log_with(process, PATH, 2);
        struct clfs_area *area;
        uint64_t lsn;
        void *base;
        size_t size;

        EXPECT_OK(clfs_log_close(log));
        log = log_with(process, PATH, 2); /* the epoch moves on, and nothing else is written */
        area = area_of(log, BLOCK);
        appended(area, "one");
        EXPECT_OK(clfs_flush(area, 0, NULL));
        lsn = appended(area, "two");
        EXPECT_OK(clfs_flush(area, 0, NULL));
        sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
        (void)!clfs_area_destroy(area);
        (void)!clfs_log_close(log);
        EXPECT_OK(sys_sim_dump(sim, PATH ".blf", &base, &size));
        memcpy((uint8_t *)base + half * (size / 2), zeros, sizeof(zeros));
        EXPECT_OK(sys_sim_load(sim, PATH ".blf", base, size));
        free(base);
        log = log_with(process, PATH, 2);
        EXPECT_EQ(lsn + 1, info_of(log).last_lsn);
        EXPECT_OK(clfs_log_close(log));
        sys_sim_destroy(sim);
    }
}

TEST(a_copy_older_than_one_that_was_lost_is_recognised) /* CLFS-HARD-13 CLFS-MODEL-18 CLFS-DUR-20 */
{
    /* The newest copy freed a container, and one block was forced into it; then that copy is lost.
     * By the other one the container still holds the base. */
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, PATH, 2);
    struct clfs_area *area = area_of(log, 64 << 10);
    uint64_t lsn = 0;
    uint8_t *base;
    void *dump;
    size_t size;

    (void)fill_log(area, 60000, &lsn);
    EXPECT_EQ(1, clfs_lsn_container(lsn));
    EXPECT_OK(clfs_advance_base(area, lsn)); /* frees the first container */
    EXPECT_OK(clfs_flush(area, 0, NULL));
    while (clfs_lsn_container(lsn) == 1) {
        struct bytes part = {.at = calloc(1, 60000), .size = 60000};

        EXPECT_OK(clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
        free((void *)(uintptr_t)part.at);
    }
    EXPECT_OK(clfs_flush(area, 0, NULL));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    EXPECT_OK(sys_sim_dump(sim, PATH ".blf", &dump, &size));
    base = dump;
    memset(le64_get(base + 24) > le64_get(base + size / 2 + 24) ? base : base + size / 2, 0, 512);
    EXPECT_OK(sys_sim_load(sim, PATH ".blf", base, size));
    free(dump);
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT,
                  clfs_log_open(process, PATH, CLFS_OPEN_EXISTING, true, &log));
    sys_sim_destroy(sim);
}

TEST(generations_do_not_wrap) /* CLFS-HARD-14 */
{
    struct victim victim;
    struct clfs_log *log = NULL;
    uint8_t *copy;
    bool all;

    victim_make(&victim, true);
    copy = malloc(victim.files[0].size);
    memcpy(copy, victim.files[0].data, victim.files[0].size);
    for (unsigned half = 0; half < 2; half++) {
        uint8_t *at = copy + half * (victim.files[0].size / 2);

        le64_put(at + 24, UINT64_MAX - 17 + half);
        le32_put(at + 20, 0);
        le32_put(at + 20, crc32c(0, at, le32_get(at + 16)));
    }
    EXPECT_OK(sys_sim_load(victim.sim, PATH ".blf", copy, victim.files[0].size));
    EXPECT_OK(open_and_read(&victim, false, &all));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID,
                  clfs_log_open(victim.process, PATH, CLFS_OPEN_EXISTING, true, &log));
    free(copy);
    victim_free(&victim);
}

TEST(a_restart_lsn_that_names_no_restart_area) /* CLFS-HARD-38 -39 CLFS-RESTART-33 */
{
    struct victim victim;
    uint64_t bad[3];
    bool all;

    victim_make(&victim, true);
    bad[0] = victim.base;        /* a data record */
    bad[1] = victim.restart + 1; /* beyond its block's records */
    bad[2] = (victim.base & ~511u) + 512 < victim.last ? (victim.base & ~511u) + 512 : victim.base;
    EACH (lsn, bad) {
        uint8_t *copy = malloc(victim.files[0].size);
        struct clfs_log *log = NULL;
        struct clfs_area *area;
        struct clfs_reader *reader = NULL;
        struct clfs_record record;
        NTSTATUS status;

        memcpy(copy, victim.files[0].data, victim.files[0].size);
        for (unsigned half = 0; half < 2; half++) {
            uint8_t *at = copy + half * (victim.files[0].size / 2);

            le64_put(at + 512 + 32, *lsn);
            le32_put(at + 20, 0);
            le32_put(at + 20, crc32c(0, at, le32_get(at + 16)));
        }
        EXPECT_OK(sys_sim_load(victim.sim, PATH ".blf", copy, victim.files[0].size));
        EXPECT_OK(clfs_log_open(victim.process, PATH, CLFS_OPEN_EXISTING, false, &log));
        area = area_of(log, 64 << 10);
        status = clfs_read_restart(area, &record, &reader);
        EXPECT(status == STATUS_LOG_RESTART_INVALID || status == STATUS_LOG_BLOCK_INVALID);
        EXPECT(!reader);
        EXPECT_OK(clfs_area_destroy(area));
        EXPECT_OK(clfs_log_close(log));
        EXPECT_OK(open_and_read(&victim, true, &all)); /* the data stay readable */
        EXPECT(all);
        victim_restore(&victim);
        free(copy);
    }
    victim_free(&victim);
}

TEST(one_bad_sector_fails_only_who_needs_it) /* CLFS-HARD-40 */
{
    struct victim victim;
    struct clfs_log *log;
    struct clfs_area *area;
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    NTSTATUS status;

    victim_make(&victim, true);
    sys_sim_set_bad(victim.sim, PATH ".c0001", 300 << 10, 512, SYS_READ);
    log = log_with(victim.process, PATH, 3);
    area = area_of(log, 64 << 10);
    EXPECT_OK(clfs_read(area, victim.last - 1, CLFS_FORWARD, &record, &reader));
    clfs_reader_destroy(give(reader));
    EXPECT_OK(clfs_read(area, victim.base, CLFS_FORWARD, &record, &reader));
    while ((status = clfs_read_next(reader, CLFS_ANY, NULL, &record)) == STATUS_SUCCESS)
        EXPECT(is_genuine(&record));
    EXPECT_STATUS(STATUS_LOG_CONTAINER_READ_FAILED, status);
    sys_sim_set_bad(victim.sim, PATH ".c0001", 300 << 10, 512, 0);
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record)); /* the context stands [READ-39] */
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_set_bad(victim.sim, PATH ".blf", 0, 512, SYS_READ); /* the other copy serves */
    log = log_with(victim.process, PATH, 3);
    EXPECT_EQ(victim.last, info_of(log).last_lsn);
    EXPECT_OK(clfs_log_close(log));
    victim_free(&victim);
}

TEST(a_file_that_is_cut_while_open_gives_a_status) /* CLFS-HARD-41 */
{
    struct clfs_log *log;
    struct clfs_area *area;
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    char path[512], container[600];
    uint64_t lsn = 0;

    snprintf(path, sizeof(path), "%s/log", test_directory());
    snprintf(container, sizeof(container), "%s.c0001", path);
    log = log_with(sys_linux(), path, 2);
    area = area_of(log, BLOCK);
    for (unsigned i = 0; i < 1000; i++)
        lsn = appended(area, "some words that are long enough to fill a few blocks");
    EXPECT_OK(clfs_flush(area, 0, NULL));
    EXPECT_EQ(0, truncate(container, 4096));
    EXPECT_STATUS(STATUS_LOG_CONTAINER_READ_FAILED,
                  clfs_read(area, lsn, CLFS_FORWARD, &record, &reader));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT,
                  clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
}
