/* SPDX-License-Identifier: MIT */
/* The space of the log: what is reserved is given back, what is needed is made, and a checkpoint is
 * always possible. */
#include "tests/engine/stage.h"

/* Ways a transaction of one durable participant ends, all of which must leave nothing reserved. */
enum end { COMMITTED, ABORTED, VETOED, READ_ONLY, SINGLE, DISCONNECTED, REJECTED, CLOSED, ENDS };

static void
play_to_the_end(struct object *rm, enum end end)
{
    struct object *tx = stage_tx();
    struct object *en = stage_en(rm, tx, end >= SINGLE ? STAGE_SINGLE : STAGE_TWO);

    stage_commit(tx);
    if (end == COMMITTED || end == REJECTED) {
        if (end == REJECTED) {
            stage_say(en, KTM_EN_SINGLE_PHASE_REJECT);
            stage_say(en, KTM_EN_PREPREPARE_COMPLETE);
        }
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
        stage_say(en, KTM_EN_COMMIT_COMPLETE);
    } else if (end == ABORTED) {
        EXPECT(NT_SUCCESS(engine_tx_rollback(tx, false)));
        stage_say(en, KTM_EN_ROLLBACK_COMPLETE);
    } else if (end == VETOED) {
        stage_say(en, KTM_EN_ROLLBACK);
    } else if (end == READ_ONLY) {
        stage_say(en, KTM_EN_READ_ONLY);
    } else if (end == SINGLE) {
        stage_say(en, KTM_EN_COMMIT_COMPLETE);
    }
    if (end == CLOSED)
        stage_close(give(tx));
    stage_close(en);
    if (tx)
        stage_close(tx);
    while (stage_hear(rm))
        ;
}

TEST(every_end_gives_back_what_was_reserved) /* LOG-14 PT-16 */
{
    struct object *rm;
    uint64_t reserved;

    stage_begin();
    rm = stage_rm(1, 0);
    reserved = stage_log().total_reservation;
    for (enum end end = 0; end < ENDS; end++)
        for (int i = 0; i < 3; i++) {
            play_to_the_end(rm, end);
            if (stage_log().total_reservation != reserved)
                test_fail(__FILE__, __LINE__, "end %d leaves %d bytes reserved", end,
                          (int)(stage_log().total_reservation - reserved));
        }
    stage_end();
}

static NTSTATUS
fails(PKENLISTMENT en, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock, ULONG length,
      PVOID argument)
{
    (void)en, (void)rm_key, (void)key, (void)what, (void)clock, (void)length, (void)argument;
    return STATUS_UNSUCCESSFUL;
}

TEST(a_callback_that_fails_gives_back_what_was_reserved) /* LOG-14 NOTIF-09 TMR-17 */
{
    struct object *rm, *tx, *en;
    uint64_t reserved;

    stage_begin();
    rm = stage_rm(1, 0);
    reserved = stage_log().total_reservation;
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_TWO);
    stage_commit(tx); /* PREPARE is in the queue when the callback is registered */
    EXPECT_OK(engine_rm_callbacks(rm, fails, NULL));
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(tx)->outcome);
    stage_say(en, KTM_EN_ROLLBACK_COMPLETE);
    EXPECT_EQ(reserved, stage_log().total_reservation);
    stage_end();
}

/* The commit record becomes larger than what was reserved for it. */
TEST(a_commit_on_a_full_log_makes_room) /* LOG-14 ENL-SET-10 ENL-CREATE-11 */
{
    static uint8_t info[40 << 10];
    struct object *rm, *tx, *en;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_TWO);
    stage_commit(tx);
    stage_fill_log();
    EXPECT_OK(engine_en_set_recovery_info(en, bytes_of(info, sizeof(info))));
    stage_say(en, KTM_EN_PREPARE_COMPLETE);
    EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
    EXPECT_EQ(KTM_ONLINE, stage_inside()->core.state);
    stage_end();
}

TEST(recovery_information_on_a_full_log_makes_room) /* ENL-SET-10 GEN-06 */
{
    static uint8_t info[100 << 10];
    struct object *rm, *tx, *en;
    uint32_t size = 0;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_TWO);
    stage_commit(tx);
    stage_say(en, KTM_EN_PREPARE_COMPLETE); /* the record is in the log */
    stage_fill_log();
    EXPECT_OK(engine_en_set_recovery_info(en, bytes_of(info, sizeof(info))));
    sys_sim_set_capacity(stage.sim, sys_sim_used(stage.sim));
    stage_fill_log();
    EXPECT_STATUS(STATUS_DISK_FULL, engine_en_set_recovery_info(en, bytes_of(info, 90 << 10)));
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, engine_en_recovery_info(en, NULL, &size));
    EXPECT_EQ(sizeof(info), size); /* as it was */
    stage_say(en, KTM_EN_COMMIT_COMPLETE);
    stage_end();
}

TEST(after_the_record_it_cannot_grow_too_long) /* ENL-SET-09 TX-COMMIT-24 PT-36 */
{
    static uint8_t info[120 << 10];
    struct object *rm[4], *tx, *en[3], *superior;

    stage_begin();
    for (unsigned i = 0; i < ARRAY_SIZE(rm); i++)
        rm[i] = stage_rm(i, 0);
    tx = stage_tx();
    superior = stage_superior(rm[3], tx);
    for (unsigned i = 0; i < ARRAY_SIZE(en); i++)
        en[i] = stage_en(rm[i], tx, STAGE_TWO);
    stage_say(superior, KTM_EN_PREPARE);
    for (unsigned i = 0; i < ARRAY_SIZE(en); i++)
        stage_say(en[i], KTM_EN_PREPARE_COMPLETE);
    EXPECT_EQ(TX_PREPARED, AS_TX(tx)->state);
    EXPECT_OK(engine_en_set_recovery_info(en[0], bytes_of(info, sizeof(info))));
    EXPECT_OK(engine_en_set_recovery_info(en[1], bytes_of(info, sizeof(info))));
    EXPECT_STATUS(STATUS_TRANSACTION_RECORD_TOO_LONG,
                  engine_en_set_recovery_info(en[2], bytes_of(info, sizeof(info))));
    stage_say(superior, KTM_EN_COMMIT);
    EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
    stage_end();
}

TEST(a_checkpoint_is_possible_on_a_full_log) /* CLFS-KTM-08 LOG-08 */
{
    uint64_t base;

    stage_begin();
    stage_fill_log();
    base = stage_log().base_lsn;
    EXPECT_OK(tm_log_checkpoint(stage_inside()));
    EXPECT(stage_log().base_lsn > base);
    stage_end();
}

/* No space is left for the next checkpoint, not even on the disk; then there is again. */
TEST(a_checkpoint_that_cannot_reserve_again_is_not_the_last) /* CLFS-KTM-08 TM-STATE-03 */
{
    stage_begin();
    sys_sim_set_capacity(stage.sim, sys_sim_used(stage.sim));
    for (int i = 0; i < 5000 && stage_inside()->restart_is_reserved; i++) {
        stage_fill_log();
        (void)!tm_log_checkpoint(stage_inside());
    }
    EXPECT(!stage_inside()->restart_is_reserved);
    EXPECT_STATUS(STATUS_LOG_FULL, tm_log_checkpoint(stage_inside()));
    EXPECT_EQ(KTM_ONLINE, stage_inside()->core.state);
    sys_sim_set_capacity(stage.sim, 0);
    play_to_the_end(stage_rm(1, 0), COMMITTED);
    EXPECT_OK(tm_log_checkpoint(stage_inside()));
    EXPECT(stage_inside()->restart_is_reserved);
    stage_end();
}

/* An old unresolved record is copied forward again and again. */
TEST(copying_forward_leaves_the_reservation_alone) /* LOG-14 LOG-08 */
{
    static uint8_t info[30 << 10];
    struct object *rm[3], *tx, *en, *superior;
    uint64_t lsn, bytes;
    uint32_t records;

    stage_begin();
    for (unsigned i = 0; i < ARRAY_SIZE(rm); i++)
        rm[i] = stage_rm(i, 0);
    tx = stage_tx();
    superior = stage_superior(rm[1], tx);
    en = stage_en(rm[0], tx, STAGE_TWO);
    stage_say(superior, KTM_EN_PREPARE);
    stage_say(en, KTM_EN_PREPARE_COMPLETE);
    lsn = AS_TX(tx)->lsn;
    records = AS_TX(tx)->reserved_records;
    bytes = AS_TX(tx)->reserved_bytes;
    EXPECT_EQ(2, records); /* COMMIT, and FORGET or ABORT */
    for (int i = 0; i < 200; i++) {
        struct object *other = stage_tx(), *by = stage_en(rm[2], other, STAGE_TWO);

        EXPECT_OK(engine_en_set_recovery_info(by, bytes_of(info, sizeof(info))));
        stage_commit(other);
        stage_say(by, KTM_EN_PREPARE_COMPLETE);
        stage_say(by, KTM_EN_COMMIT_COMPLETE);
        stage_close(other);
        stage_close(by);
        while (stage_hear(rm[2]))
            ;
    }
    EXPECT(AS_TX(tx)->lsn > lsn);
    EXPECT_EQ(records, AS_TX(tx)->reserved_records);
    EXPECT_EQ(bytes, AS_TX(tx)->reserved_bytes);
    EXPECT_EQ(2, stage_log().containers);
    stage_end();
}

/* More unresolved records than the log has room for, or than can be copied in it. */
TEST(a_log_full_of_unresolved_records_grows) /* LOG-08 RECOV-12 */
{
    static uint8_t info[60 << 10];
    struct object *rm;

    stage_begin();
    rm = stage_rm(1, 0);
    for (int i = 0; i < 100; i++) {
        struct object *tx = stage_tx(), *en = stage_en(rm, tx, STAGE_TWO);

        EXPECT_OK(engine_en_set_recovery_info(en, bytes_of(info, sizeof(info))));
        stage_commit(tx);
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
        EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
    }
    EXPECT_EQ(KTM_ONLINE, stage_inside()->core.state);
    EXPECT(stage_log().containers <= 30); /* 6 MB of records, reserved twice */
    stage_end();
}

/* The log and the disk were full when the process died: what is in the log must be had again. */
TEST(a_full_log_on_a_full_disk_can_be_attached) /* TM-CREATE-08 TM-RECOVER-01 CLFS-KTM-08 */
{
    static uint8_t info[10 << 10];
    struct object *rm;
    unsigned committed = 0;
    NTSTATUS status = STATUS_SUCCESS;

    stage_begin();
    rm = stage_rm(1, 0);
    sys_sim_set_capacity(stage.sim, sys_sim_used(stage.sim));
    while (NT_SUCCESS(status)) {
        struct object *tx = stage_tx(), *en = stage_en(rm, tx, STAGE_TWO);

        EXPECT_OK(engine_en_set_recovery_info(en, bytes_of(info, sizeof(info))));
        status = engine_tx_commit(tx, false);
        if (NT_SUCCESS(status)) {
            stage_say(en, KTM_EN_PREPARE_COMPLETE);
            EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
            committed++;
        }
    }
    EXPECT_STATUS(STATUS_DISK_FULL, status); /* refused: nothing has happened */
    EXPECT_EQ(KTM_ONLINE, stage_inside()->core.state);
    while (clfs_unreserve(stage_inside()->area, 1, 512) == STATUS_SUCCESS)
        ; /* the worst case: what was reserved has been used up */
    for (uint64_t lsn;;) {
        struct transaction nobody = {.description_units = 0};
        uint8_t record[64];
        struct bytes part = bytes_of(record, record_size(&nobody, RECORD_FORGET, NULL));

        atomic_init(&nobody.ktm, &stage_inside()->core);
        record_encode(&nobody, RECORD_FORGET, NULL, record);
        if (clfs_append(stage_inside()->area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn) !=
            STATUS_SUCCESS)
            break;
    }
    EXPECT_OK(clfs_flush(stage_inside()->area, 0, NULL));
    stage_crash();
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    EXPECT_EQ(committed, guid_map_count(&stage_inside()->core.txs));
    sys_sim_set_capacity(stage.sim, 0);
    play_to_the_end(stage_rm(2, 0), COMMITTED);
    stage_end();
}
