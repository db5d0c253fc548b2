/* SPDX-License-Identifier: MIT */
/*
 * A whole log whose files have been spoiled, opened and read through [CLFS-HARD-47]. The input is a
 * list of patches: which file and what to do (one byte), an offset (three), a length (one), bytes.
 */
#include <stdlib.h>

#include "clfs/format.h"
#include "sys/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATH "/log"

static const char *const names[] = {PATH ".blf", PATH ".c0001", PATH ".c0002"};
static struct sys_sim *template_disk;
static struct {
    uint8_t *at;
    size_t size;
} files[ARRAY_SIZE(names)];

static void
must(NTSTATUS status)
{
    CHECK(status == STATUS_SUCCESS);
}

static void
template_make(void)
{
    struct sys *process;
    struct clfs_log *log;
    struct clfs_area *area;
    static uint8_t data[9000];
    uint64_t size = CLFS_CONTAINER_SIZE_STEP, lsn = CLFS_LSN_NONE;

    template_disk = sys_sim_create(1);
    process = sys_sim_process(template_disk);
    must(clfs_log_open(process, PATH, CLFS_CREATE_NEW, true, &log));
    must(clfs_log_add_containers(log, 2, &size, NULL));
    must(clfs_area_create(log, 16384, &area));
    for (unsigned i = 0; i < 70; i++) {
        struct bytes part = bytes_of(data, i * 120);

        must(clfs_append(area, &part, 1, lsn, lsn, 0, &lsn));
        if (i % 9 == 0)
            must(clfs_flush(area, lsn, NULL));
        if (i == 30)
            must(clfs_write_restart(area, bytes_of("r", 1), CLFS_LSN_NONE, 0, &lsn));
    }
    must(clfs_flush(area, 0, NULL));
    sys_sim_power_on(template_disk, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        void *at;

        must(sys_sim_dump(template_disk, names[i], &at, &files[i].size));
        files[i].at = at;
    }
}

static void
sign_copies(uint8_t *at, size_t size)
{
    for (unsigned half = 0; half < 2; half++) {
        uint8_t *copy = at + half * (size / 2);
        uint32_t used = le32_get(copy + 16), crc;

        if (used < 512 || used > size / 2)
            continue;
        le32_put(copy + 20, 0);
        crc = crc32c(0, copy, used);
        le32_put(copy + 20, crc ? crc : UINT32_MAX);
    }
}

static void
patch(struct sys_sim *sim, const uint8_t *data, size_t size)
{
    uint8_t *copies[ARRAY_SIZE(names)] = {0};

    while (size >= 5) {
        unsigned which = data[0] % ARRAY_SIZE(names);
        size_t offset = (data[1] | data[2] << 8 | data[3] << 16) % files[which].size;
        size_t length = data[4] < size - 5 ? data[4] : size - 5;

        if (!copies[which]) {
            copies[which] = malloc(files[which].size);
            CHECK(copies[which]);
            memcpy(copies[which], files[which].at, files[which].size);
        }
        if (length > files[which].size - offset)
            length = files[which].size - offset;
        memcpy(copies[which] + offset, data + 5, length);
        if (which == 0 && data[0] & 0x80)
            sign_copies(copies[0], files[0].size);
        data += 5 + length;
        size -= 5 + length;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (copies[i])
            must(sys_sim_load(sim, names[i], copies[i], files[i].size));
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        free(copies[i]);
}

static void
read_all(struct clfs_area *area, uint64_t from, enum clfs_mode mode)
{
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    NTSTATUS status = clfs_read(area, from, mode, &record, &reader);
    unsigned count = 0;

    while (status == STATUS_SUCCESS) {
        uint8_t sum = 0;

        for (size_t i = 0; i < record.data.size; i++)
            sum = (uint8_t)(sum ^ record.data.at[i]);
        __asm__ volatile("" : : "r"(sum)); /* all of it can be read */
        CHECK(++count < 100000);           /* no loop */
        status = clfs_read_next(reader, CLFS_ANY, NULL, &record);
    }
    clfs_reader_destroy(reader);
}

static void
open_and_read(struct sys *process, bool writable)
{
    struct clfs_log *log = NULL;
    struct clfs_area *area = NULL;
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    struct clfs_info info;
    uint64_t lsn;

    if (clfs_log_open(process, PATH, CLFS_OPEN_EXISTING, writable, &log) != STATUS_SUCCESS)
        return;
    clfs_log_info(log, &info);
    CHECK(info.base_lsn <= info.last_lsn && info.flushed_lsn <= info.last_lsn);
    if (clfs_area_create(log, 16384, &area) == STATUS_SUCCESS) {
        read_all(area, info.base_lsn, CLFS_FORWARD);
        if (info.last_lsn)
            read_all(area, info.last_lsn - 1, CLFS_PREVIOUS);
        if (clfs_read_restart(area, &record, &reader) == STATUS_SUCCESS)
            while (clfs_read_previous_restart(reader, &record) == STATUS_SUCCESS)
                ;
        clfs_reader_destroy(reader);
        if (writable &&
            clfs_append(area, NULL, 0, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn) == STATUS_SUCCESS)
            (void)!clfs_flush(area, lsn, NULL);
    }
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sys_sim *sim;
    struct sys *process;

    if (!template_disk)
        template_make();
    sim = sys_sim_copy(template_disk);
    process = sys_sim_process(sim);
    patch(sim, data, size);
    open_and_read(process, false);
    open_and_read(process, true);
    open_and_read(process, true); /* what was accepted once is accepted again */
    sys_sim_destroy(sim);
    return 0;
}
