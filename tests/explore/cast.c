/* SPDX-License-Identifier: MIT */
/* The cast of cast.h: objects, and what is done with them. */
#include "tests/explore/cast_inner.h"

struct cast cast;

static const uint16_t log_name[] = {'/', 't', 'm'};

void
cast_expect_one_of(const char *file, int line, NTSTATUS status, const NTSTATUS *wanted,
                   size_t count)
{
    struct status_birth birth = status_last_birth();

    for (size_t i = 0; i < count; i++)
        if (status == wanted[i])
            return;
    if (birth.file && birth.status == status)
        fprintf(stderr, "%s:%d: this status was born here\n", birth.file, birth.line);
    test_fail(file, line, "%s is not expected here", status_name(status));
}

/* ---- begin ---- */

static void
tm_attach(void)
{
    EXPECT_OK(engine_tm_create(cast.engine, cast.is_volatile ? NULL : "/tm", log_name,
                               ARRAY_SIZE(log_name), &cast.tm));
    engine_hold(cast.tm);
    cast.has_tm = true;
}

void
cast_begin(bool is_volatile)
{
    cast = (struct cast){.sim = sys_sim_create(1), .is_volatile = is_volatile};
    cast.process = sys_sim_process(cast.sim);
    sys_sim_advance(cast.sim, 1000000000);
    explore_machine(cast.sim, cast.process);
    EXPECT_OK(engine_create(cast.process, &cast.engine));
    tm_attach();
    if (!is_volatile)
        EXPECT_OK(engine_tm_recover(cast.tm, NULL));
}

void
cast_begin_second(void)
{
    EXPECT_OK(
        engine_tm_create(cast.engine, "/second", log_name, ARRAY_SIZE(log_name), &cast.second));
    engine_hold(cast.second);
    cast.has_second = true;
    EXPECT_OK(engine_tm_recover(cast.second, NULL));
    for (unsigned i = 1; i < CAST_RMS; i += 2)
        cast.rms[i].is_second = true;
}

void
cast_restart(void)
{
    sys_sim_crash(cast.process);
    engine_destroy(cast.engine);
    EXPECT_OK(engine_create(cast.process, &cast.engine));
    for (unsigned i = 0; i < CAST_RMS; i++)
        cast.rms[i] = (struct cast_rm){.is_volatile = false};
    for (unsigned i = 0; i < CAST_ACTS; i++) {
        cast.acts[i].tx = NULL;
        cast.acts[i].has_handle = false;
        for (unsigned n = 0; n < CAST_PARTS; n++) {
            cast.acts[i].parts[n].en = NULL;
            cast.acts[i].parts[n].has_handle = false;
            cast.acts[i].parts[n].told = cast.acts[i].parts[n].owes = 0;
        }
    }
    tm_attach();
}

/* ---- resource managers ---- */

GUID
cast_guid(unsigned number)
{
    return (GUID){.Data1 = number + 1, .Data2 = 0xCA57};
}

NTSTATUS
cast_try_rm(unsigned number, struct object **out)
{
    bool is_volatile = cast.is_volatile || cast.rms[number].is_volatile;
    GUID guid = cast_guid(number);

    return engine_rm_create(cast.rms[number].is_second ? cast.second : cast.tm, &guid,
                            is_volatile ? RESOURCE_MANAGER_VOLATILE : 0, NULL, 0, out);
}

static struct cast_rm *
rm_open(unsigned number, bool has_callback)
{
    struct cast_rm *rm = &cast.rms[number];
    struct object *made;

    EXPECT_OK(cast_try_rm(number, &made));
    engine_hold(made);
    if (rm->rm)
        engine_release(rm->rm);
    rm->rm = made;
    rm->has_handle = true;
    if (has_callback)
        EXPECT_OK(engine_rm_callbacks(rm->rm, cast_callback, rm));
    return rm;
}

struct cast_rm *
cast_rm(unsigned number)
{
    struct cast_rm *rm = rm_open(number, true);

    EXPECT(NT_SUCCESS(engine_rm_recover(rm->rm)));
    return rm;
}

struct cast_rm *
cast_rm_queue(unsigned number)
{
    struct cast_rm *rm = rm_open(number, false);

    EXPECT(NT_SUCCESS(engine_rm_recover(rm->rm)));
    return rm;
}

struct cast_rm *
cast_rm_unrecovered(unsigned number)
{
    return rm_open(number, true);
}

/* The enlistment of a notification whose key is its part; it may come before the call that made it
 * has returned [NOTIF-12]. */
static struct object *
part_object(struct part *part)
{
    while (!part->en)
        explore_pause("waits until it is enlisted");
    return part->en;
}

void
cast_rm_serve(struct cast_rm *rm)
{
    for (;;) {
        TRANSACTION_NOTIFICATION note[3];
        uint32_t length;
        NTSTATUS status =
            engine_rm_get_notification(rm->rm, note, sizeof(note), SYS_FOREVER, &length);

        if (status == STATUS_TRANSACTION_OBJECT_EXPIRED)
            return; /* [NOTIF-GET-15] */
        EXPECT_OK(status);
        if (note->TransactionNotification &
            (TRANSACTION_NOTIFY_RECOVER | TRANSACTION_NOTIFY_RECOVER_QUERY))
            cast_recover(rm, (const void *)(note + 1));
        else if (note->TransactionKey)
            cast_hear(note->TransactionKey, part_object(note->TransactionKey),
                      note->TransactionNotification);
        else
            rm->last_recovers++;
    }
}

void
cast_rm_close(struct cast_rm *rm)
{
    cast.rms_may_close = true;
    rm->has_handle = false;
    engine_handle_close(rm->rm);
}

/* ---- transactions ---- */

static struct act *
act_make(unsigned number, struct object *tm, int64_t timeout)
{
    struct act *act = &cast.acts[number];
    struct engine_tx_options options = {.tm = tm, .timeout = timeout};

    *act = (struct act){.has_handle = true};
    EXPECT_OK(engine_tx_create(cast.engine, &options, &act->tx));
    engine_hold(act->tx);
    engine_tx_id(act->tx, &act->uow);
    return act;
}

struct act *
cast_act(unsigned number, int64_t timeout)
{
    return act_make(number, cast.tm, timeout);
}

struct act *
cast_act_unbound(unsigned number)
{
    return act_make(number, NULL, 0);
}

static NTSTATUS
enlist(struct act *act, struct cast_rm *rm, uint32_t mask, bool is_superior, struct part **out)
{
    struct part *part = &act->parts[act->part_count++];
    struct engine_en_info info;
    struct object *en = NULL;
    NTSTATUS status;

    *part = (struct part){.act = act, .rm = rm, .mask = mask, .is_superior = is_superior};
    status =
        engine_en_create(rm->rm, act->tx, is_superior ? ENLISTMENT_SUPERIOR : 0, mask, part, &en);
    if (status != STATUS_SUCCESS) {
        part->mask = 0; /* nobody: takes no part */
        return status;
    }
    engine_hold(en);
    part->guid = AS_EN(en)->link.guid;
    part->has_handle = true;
    part->en = en;
    if (engine_en_query(en, &info) == STATUS_SUCCESS)
        EXPECT(guid_equal(&info.guid, &part->guid));
    *out = part;
    return STATUS_SUCCESS;
}

NTSTATUS
cast_try_enlist(struct act *act, struct cast_rm *rm, uint32_t mask, struct part **out)
{
    return enlist(act, rm, mask, false, out);
}

struct part *
cast_superior(struct act *act, struct cast_rm *rm)
{
    struct part *part = NULL;

    EXPECT_OK(enlist(act, rm, CAST_SUPERIOR, true, &part));
    return part;
}

struct part *
cast_enlist(struct act *act, struct cast_rm *rm, uint32_t mask)
{
    struct part *part = NULL;

    EXPECT_OK(cast_try_enlist(act, rm, mask, &part));
    return part;
}

void
cast_part_close(struct part *part)
{
    part->has_handle = false;
    if (part->memory == MEMORY_NOTHING || part->memory == MEMORY_PREPARED)
        cast.rms_may_close = true;
    engine_handle_close(part->en);
}

void
cast_act_close(struct act *act)
{
    act->has_handle = false;
    engine_handle_close(act->tx);
}

void
cast_tm_close(void)
{
    cast.has_tm = false;
    cast.rms_may_close = true;
    engine_handle_close(cast.tm);
}

void
cast_second_close(void)
{
    cast.has_second = false;
    cast.rms_may_close = true;
    engine_handle_close(cast.second);
}

/* ---- clients ---- */

NTSTATUS
cast_commit(struct act *act, bool wait)
{
    NTSTATUS status = engine_tx_commit(act->tx, wait);

    if (status == STATUS_SUCCESS && wait)
        told_committed(act, "commit");
    if (status == STATUS_TRANSACTION_ALREADY_ABORTED)
        told_aborted(act, "commit");
    if (wait && !cast.rms_may_close &&
        (status == STATUS_SUCCESS || status == STATUS_TRANSACTION_ALREADY_ABORTED))
        EXPECT_OK(engine_wait(act->tx, 0)); /* SIG-05 */
    return status;
}

NTSTATUS
cast_rollback(struct act *act, bool wait)
{
    NTSTATUS status = engine_tx_rollback(act->tx, wait);

    if (NT_SUCCESS(status))
        told_aborted(act, "rollback");
    if (status == STATUS_TRANSACTION_ALREADY_COMMITTED)
        told_committed(act, "rollback");
    return status;
}

void
cast_look(struct act *act)
{
    struct engine_tx_info info;

    if (engine_tx_query(act->tx, &info) != STATUS_SUCCESS)
        return;
    if (info.outcome == TransactionOutcomeCommitted)
        told_committed(act, "query");
    if (info.outcome == TransactionOutcomeAborted)
        told_aborted(act, "query");
}
