/* SPDX-License-Identifier: MIT */
/* What is left of a log can be reserved to the last sector by small records, whatever the size of
 * the area's blocks; and what is reserved can be appended. */
#include "tests/clfs/world.h"

TEST(small_records_are_reserved_to_the_last_sector) /* CLFS-RESV-01 CLFS-RESV-09 */
{
    static const uint32_t block_sizes[] = {BLOCK, 64 << 10, 256 << 10};

    EACH (block_size, block_sizes) {
        struct sys_sim *sim = sys_sim_create(1);
        struct clfs_log *log = log_with(sys_sim_process(sim), "/log", 2);
        struct clfs_area *area = area_of(log, *block_size);
        uint64_t lsn, size = clfs_reserved_size(area, 4);
        struct bytes part = bytes_of("four", 4);
        unsigned reserved = 0;

        while (append_text(area, "a record that fills the log", &lsn) == STATUS_SUCCESS &&
               info_of(log).current_available > 100 * size)
            ;
        while (clfs_reserve(area, 1, size) == STATUS_SUCCESS)
            reserved++;
        EXPECT(reserved >= 99);
        EXPECT(info_of(log).current_available < size);
        for (; reserved; reserved--) { /* one block each, the worst case */
            EXPECT_OK(clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE,
                                  CLFS_FROM_RESERVATION, &lsn));
            EXPECT_OK(clfs_flush(area, lsn, NULL));
        }
        EXPECT_OK(clfs_area_destroy(area));
        EXPECT_OK(clfs_log_close(log));
        sys_sim_destroy(sim);
    }
}
