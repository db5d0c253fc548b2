/* SPDX-License-Identifier: MIT */
/* The words of scene.h. */
#include "tests/nt/scene.h"

#include "engine/engine.h"
#include "sys/fault.h"
#include "sys/sim.h"

struct scene scene;

static struct sys_sim *sim;
static struct sys_fault *fault;
static struct engine *engine;
static unsigned rms; /* so far: each gets a GUID of its own */

static void
attach(void)
{
    UNICODE_STRING path = wide("/tm");

    EXPECT_OK(
        NtCreateTransactionManager(&scene.tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
}

void
scene_begin(void)
{
    sim = sys_sim_create(1);
    fault = sys_fault_create(sys_sim_process(sim));
    EXPECT(fault);
    EXPECT_OK(engine_create(sys_fault_sys(fault), &engine));
    scene = (struct scene){0};
    attach();
    EXPECT_OK(NtRecoverTransactionManager(scene.tm));
}

void
scene_end(void)
{
    engine_destroy(engine);
    sys_fault_destroy(fault);
    sys_sim_destroy(sim);
}

static void
break_disk(unsigned calls)
{
    sys_fault_plan(
        fault, &(struct sys_fault_rule){
                   .calls = calls, .n = 1, .status = STATUS_IO_DEVICE_ERROR, .is_lasting = true});
}

void
scene_break_disk(void)
{
    break_disk(FAULT_WRITE);
}

void
scene_break_disk_ambiguously(void)
{
    break_disk(FAULT_SYNC);
}

void
scene_restart(bool is_recovered)
{
    close_handle(scene.tm);
    attach();
    if (is_recovered)
        EXPECT_OK(NtRecoverTransactionManager(scene.tm));
}

void
scene_enlist(ULONG a, ULONG b, ULONG superior)
{
    const ULONG masks[] = {a, b};

    scene.tx = new_tx(scene.tm);
    scene.superior_mask = superior;
    if (superior) {
        scene.superior_rm = new_durable_rm(scene.tm, ++rms);
        scene.superior = new_superior(scene.superior_rm, scene.tx, superior, key_number(9));
    }
    for (unsigned i = 0; i < 2; i++) {
        scene.rm[i] = scene.en[i] = NULL;
        if (masks[i]) {
            scene.rm[i] = new_durable_rm(scene.tm, ++rms);
            scene.en[i] = new_en(scene.rm[i], scene.tx, masks[i], key_number(i + 1));
        }
    }
}

void
scene_say(HANDLE en, answer_routine *routine)
{
    NTSTATUS status = routine(en, NULL);

    if (!NT_SUCCESS(status))
        test_fail(__FILE__, __LINE__, "the scene cannot be set: 0x%x", (unsigned)status);
}

void
scene_commit(void)
{
    EXPECT(NT_SUCCESS(NtCommitTransaction(scene.tx, FALSE)));
}

static bool
take_one(HANDLE rm)
{
    struct note note;

    return rm && note_next(rm, &note);
}

bool
scene_is_quiet(void)
{
    return !take_one(scene.rm[0]) && !take_one(scene.rm[1]) && !take_one(scene.superior_rm);
}

void
scene_drain(void)
{
    while (!scene_is_quiet())
        ;
}

void
scene_lose(HANDLE *rm, HANDLE *en, bool is_recovered)
{
    GUID rm_guid = guid_of_rm(*rm), en_guid = guid_of_en(*en);

    close_handle(*rm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtReadOnlyEnlistment(*en, NULL));
    close_handle(*en);
    EXPECT_OK(NtOpenResourceManager(rm, RESOURCEMANAGER_ALL_ACCESS, scene.tm, &rm_guid, NULL));
    if (is_recovered)
        EXPECT(NT_SUCCESS(NtRecoverResourceManager(*rm)));
    EXPECT_OK(NtOpenEnlistment(en, ENLISTMENT_ALL_ACCESS, *rm, &en_guid, NULL));
}

/* ---- routines in their three forms ------------------------------------------------------------
 */

NTSTATUS
form_call(const struct form *form, int which, HANDLE en, PLARGE_INTEGER clock)
{
    PVOID pointer;
    NTSTATUS status;

    if (which == FORM_NT)
        return form->nt(en, clock);
    if (which == FORM_ZW)
        return form->zw(en, clock);
    pointer = pointer_to(en);
    status = form->tm(pointer, clock);
    ObDereferenceObject(pointer);
    return status;
}

const char *
form_prefix(int which)
{
    static const char *const prefixes[FORMS] = {"Nt", "Zw", "Tm"};

    return prefixes[which];
}

bool
letter_fits(char letter, NTSTATUS status)
{
    static const struct {
        char letter;
        NTSTATUS status;
    } letters[] = {
        {'R', STATUS_TRANSACTION_NOT_REQUESTED},
        {'V', STATUS_TRANSACTION_REQUEST_NOT_VALID},
        {'N', STATUS_ENLISTMENT_NOT_SUPERIOR},
        {'E', STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED},
        {'X', STATUS_TRANSACTION_NOT_ACTIVE},
        {'A', STATUS_TRANSACTION_ALREADY_ABORTED},
        {'C', STATUS_TRANSACTION_ALREADY_COMMITTED},
        {'U', STATUS_TRANSACTION_SUPERIOR_EXISTS},
        {'W', STATUS_TRANSACTION_MUST_WRITETHROUGH},
        {'P', STATUS_INVALID_PARAMETER},
        {'O', STATUS_TRANSACTIONMANAGER_NOT_ONLINE},
        {'L', STATUS_TM_VOLATILE},
        {'F', STATUS_UNSUCCESSFUL},
        {'0', STATUS_TRANSACTION_NOT_FOUND},
        {'0', STATUS_RESOURCEMANAGER_NOT_FOUND},
        {'0', STATUS_NO_MORE_ENTRIES},
    };

    if (letter == 'S' || letter == '-')
        return NT_SUCCESS(status);
    EACH (it, letters)
        if (it->letter == letter && it->status == status)
            return true;
    return false;
}
