/* SPDX-License-Identifier: MIT */
/* Resource managers at the door of the engine: made or adopted, recovered, asked, their queues read
 * [RM family]. */
#include "engine/inner.h"

#include <stdlib.h>

static void
rm_describe(struct resource_manager *rm, const uint16_t *description, size_t units)
{
    if (units)
        memcpy(rm->description, description, units * sizeof(*description));
    rm->description_units = (uint8_t)units;
}

/* An RM that nobody has open: rebuilt by recovery, or left with unresolved enlistments
 * [RM-CREATE-05, OP-20]. */
static NTSTATUS
rm_adopt(struct resource_manager *rm, uint32_t create_options, const uint16_t *description,
         size_t units)
{
    if (rm->is_open || rm->is_branch) /* the latter stands for the TM of that identity */
        return status_raise(STATUS_OBJECT_NAME_COLLISION); /* [RM-CREATE-04] */
    if (rm->is_volatile != !!(create_options & RESOURCE_MANAGER_VOLATILE))
        return status_raise(STATUS_INVALID_PARAMETER); /* [RM-CREATE-16] */
    if (units)
        rm_describe(rm, description, units);
    rm->create_options = create_options;
    return STATUS_SUCCESS;
}

static NTSTATUS
rm_make(struct ktm *ktm, const GUID *guid, uint32_t create_options, const uint16_t *description,
        size_t units, struct resource_manager **out)
{
    struct resource_manager *rm = resource_manager_create(guid, create_options);
    NTSTATUS status;

    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    rm_describe(rm, description, units);
    status = ktm_add_resource_manager(ktm, rm);
    if (status != STATUS_SUCCESS)
        resource_manager_destroy(rm);
    else
        *out = rm;
    return status;
}

static void
rm_open(struct resource_manager *rm, struct object **out)
{
    object_hand_out(&rm->object, out);
    rm->is_open = true;
    if (!(atomic_load(&rm->object.signal) & SIGNAL_EXPIRED))
        return;
    /* Open again. The word differs from what it was before the close, so that one who is only about
     * to sleep since then does not. */
    atomic_fetch_and(&rm->object.signal, ~(uint32_t)SIGNAL_EXPIRED);
    atomic_fetch_add(&rm->object.signal, SIGNAL_COUNT);
    wait_fd_follow(&rm->object);
}

NTSTATUS
engine_rm_create(struct object *tm, const GUID *guid, uint32_t create_options,
                 const uint16_t *description, size_t description_units, struct object **out)
{
    struct resource_manager *rm;
    struct run run;
    NTSTATUS status;

    run_begin(&run, tm);
    status = tm_check_online(tm);
    if (status == STATUS_SUCCESS && run.tm->core.is_volatile &&
        !(create_options & RESOURCE_MANAGER_VOLATILE))
        status = status_raise(STATUS_TM_VOLATILE); /* [RM-CREATE-06, VOL-01] */
    if (status == STATUS_SUCCESS) {
        rm = ktm_find_resource_manager(&run.tm->core, guid);
        status =
            rm ? rm_adopt(rm, create_options, description, description_units)
               : rm_make(&run.tm->core, guid, create_options, description, description_units, &rm);
    }
    if (status == STATUS_SUCCESS)
        rm_open(rm, out);
    run_end(&run);
    return status;
}

NTSTATUS
engine_rm_open(struct object *tm, const GUID *guid, struct object **out)
{
    struct resource_manager *rm;
    struct run run;
    NTSTATUS status;

    run_begin(&run, tm);
    status = tm_check_online(tm); /* [RM-OPEN-05] */
    if (status == STATUS_SUCCESS) {
        rm = ktm_find_resource_manager(&run.tm->core, guid);
        if (rm && !rm->is_branch)
            rm_open(rm, out);
        else
            status = status_raise(STATUS_RESOURCEMANAGER_NOT_FOUND); /* [RM-OPEN-02] */
    }
    run_end(&run);
    return status;
}

NTSTATUS
engine_rm_recover(struct object *object)
{
    struct ktm_event event = {.type = KTM_RM_RECOVER, .rm = AS_RM(object)};
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        status = run_step(&run, &event);
    run_end(&run);
    if (status != STATUS_SUCCESS)
        return status;
    return run.is_pending ? STATUS_PENDING : STATUS_SUCCESS; /* [RM-RECOVER-04] */
}

NTSTATUS
engine_rm_callbacks(struct object *object, PTM_RM_NOTIFICATION callback, void *rm_key)
{
    struct resource_manager *rm = AS_RM(object);
    struct run run;
    NTSTATUS status;

    if (!callback)
        return status_raise(STATUS_UNSUCCESSFUL); /* [TMR-15] */
    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS && rm->port)
        status = status_raise(STATUS_INVALID_PARAMETER); /* as RM-SET-04, the other way round */
    if (status == STATUS_SUCCESS) {
        rm->callback = callback; /* a second one replaces the first [TMR-16] */
        rm->callback_key = rm_key;
        run_drain(&run, rm); /* [TMR-17] */
    }
    run_end(&run);
    return status;
}

NTSTATUS
engine_rm_query(struct object *object, struct engine_rm_info *out)
{
    struct resource_manager *rm = AS_RM(object);
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS) {
        out->guid = rm->link.guid;
        out->create_options = rm->create_options;
        out->description_units = rm->description_units;
        memcpy(out->description, rm->description, sizeof(out->description));
    }
    run_end(&run);
    return status;
}

/* [NOTIF-GET-01, NOTIF-GET-02, NOTIF-GET-06] */
NTSTATUS
rm_take_notification(struct resource_manager *rm, TRANSACTION_NOTIFICATION *out, uint32_t size,
                     uint32_t *length)
{
    const struct notification *next = rm->queue;
    struct notification *note;
    uint32_t argument;

    if (!next)
        return STATUS_TIMEOUT;
    argument = next->has_argument ? (uint32_t)sizeof(next->argument) : 0;
    *length = (uint32_t)sizeof(*out) + argument;
    if (size < *length)
        return status_raise(STATUS_BUFFER_TOO_SMALL);
    note = resource_manager_take(rm);
    memset(out, 0, sizeof(*out));
    out->TransactionKey = note->key;
    out->TransactionNotification = note->what;
    out->TmVirtualClock.QuadPart = note->clock;
    out->ArgumentLength = argument;
    memcpy(out + 1, &note->argument, argument);
    free(note);
    return STATUS_SUCCESS;
}

static NTSTATUS
look_for_notification(struct object *object, uint32_t epoch, TRANSACTION_NOTIFICATION *out,
                      uint32_t size, uint32_t *length)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS && atomic_load(&object->epoch) != epoch)
        status =
            status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED); /* and it is another's queue now */
    if (status == STATUS_SUCCESS)
        status = rm_take_notification(AS_RM(object), out, size, length);
    wait_fd_follow(object);
    run_end(&run);
    return status;
}

NTSTATUS
engine_rm_get_notification(struct object *object, TRANSACTION_NOTIFICATION *out, uint32_t size,
                           uint64_t deadline, uint32_t *length)
{
    return engine_rm_get_notification_since(object, atomic_load(&object->epoch), out, size,
                                            deadline, length);
}

NTSTATUS
engine_rm_get_notification_since(struct object *object, uint32_t epoch,
                                 TRANSACTION_NOTIFICATION *out, uint32_t size, uint64_t deadline,
                                 uint32_t *length)
{
    for (;;) {
        uint32_t seen = atomic_load(&object->signal);
        NTSTATUS status = look_for_notification(object, epoch, out, size, length);

        if (status != STATUS_TIMEOUT || deadline == 0)
            return status; /* [NOTIF-GET-15] */
        atomic_fetch_add(&object->waiters, 1);
        if (atomic_load(&object->signal) == seen && !sys_wait(&object->signal, seen, deadline))
            deadline = 0; /* one last look */
        atomic_fetch_sub(&object->waiters, 1);
    }
}
