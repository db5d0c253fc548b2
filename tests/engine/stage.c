/* SPDX-License-Identifier: MIT */
/* The words of stage.h. */
#include "tests/engine/stage.h"

struct stage stage;

static void
process_begin(void)
{
    stage.fault = sys_fault_create(stage.process);
    EXPECT(stage.fault);
    EXPECT_OK(engine_create(sys_fault_sys(stage.fault), &stage.engine));
}

void
stage_attach(void)
{
    static const uint16_t name[] = {'/', 't', 'm'};

    EXPECT_OK(engine_tm_create(stage.engine, "/tm", name, sizeof(name) / sizeof(*name), &stage.tm));
}

void
stage_begin(void)
{
    stage.sim = sys_sim_create(1);
    stage.process = sys_sim_process(stage.sim);
    process_begin();
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
}

static void
process_end(void)
{
    sys_sim_crash(stage.process);
    engine_destroy(stage.engine);
    sys_fault_destroy(stage.fault);
}

void
stage_crash(void)
{
    process_end();
    process_begin();
    stage.tm = NULL;
}

void
stage_end(void)
{
    process_end();
    sys_sim_destroy(stage.sim);
}

GUID
stage_guid(unsigned number)
{
    return (GUID){.Data1 = number + 1, .Data2 = 0x57A6};
}

struct object *
stage_rm(unsigned number, uint32_t options)
{
    GUID guid = stage_guid(number);
    struct object *rm;

    EXPECT_OK(engine_rm_create(stage.tm, &guid, options, NULL, 0, &rm));
    if (!(options & RESOURCE_MANAGER_VOLATILE)) {
        EXPECT_STATUS(STATUS_PENDING, engine_rm_recover(rm));
        EXPECT_EQ(TRANSACTION_NOTIFY_LAST_RECOVER, stage_hear(rm));
    }
    return rm;
}

struct object *
stage_tx(void)
{
    struct engine_tx_options options = {.tm = stage.tm};
    struct object *tx;

    EXPECT_OK(engine_tx_create(stage.engine, &options, &tx));
    return tx;
}

struct object *
stage_en(struct object *rm, struct object *tx, uint32_t mask)
{
    struct object *en;

    EXPECT_OK(engine_en_create(rm, tx, 0, mask, NULL, &en));
    return en;
}

struct object *
stage_superior(struct object *rm, struct object *tx)
{
    struct object *en;

    EXPECT_OK(engine_en_create(rm, tx, ENLISTMENT_SUPERIOR, STAGE_SUPERIOR, NULL, &en));
    return en;
}

void
stage_say(struct object *en, int event)
{
    NTSTATUS status = engine_en_request(en, event, NULL);

    if (!NT_SUCCESS(status))
        test_fail(__FILE__, __LINE__, "%s is answered %s", ktm_event_name(event),
                  status_name(status));
}

void
stage_commit(struct object *tx)
{
    EXPECT(NT_SUCCESS(engine_tx_commit(tx, false)));
}

void
stage_close(struct object *object)
{
    engine_handle_close(object);
}

uint32_t
stage_hear(struct object *rm)
{
    TRANSACTION_NOTIFICATION note[3];
    uint32_t length;
    NTSTATUS status = engine_rm_get_notification(rm, note, sizeof(note), 0, &length);

    if (status == STATUS_TIMEOUT)
        return 0;
    EXPECT_OK(status);
    return note->TransactionNotification;
}

struct engine_tm *
stage_inside(void)
{
    return AS_TM(stage.tm);
}

struct clfs_info
stage_log(void)
{
    struct clfs_info info;

    clfs_log_info(stage_inside()->log, &info);
    return info;
}

void
stage_fill_log(void)
{
    struct clfs_area *area = stage_inside()->area;

    for (uint64_t size = 1 << 20; size >= 512; size /= 2)
        while (clfs_reserve(area, 1, size) == STATUS_SUCCESS)
            ;
}
