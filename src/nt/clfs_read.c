/* SPDX-License-Identifier: MIT */
/* Reading records and restart areas [docs/spec/clfs.md sections 6.13, 6.14]. */
#include <stdlib.h>

#include "nt/clfs_object.h"

static_assert((int)ClfsContextUndoNext == CLFS_UNDO_NEXT &&
                  (int)ClfsContextPrevious == CLFS_PREVIOUS &&
                  (int)ClfsContextForward == CLFS_FORWARD,
              "modes go through as they are");
static_assert(ClfsDataRecord == CLFS_DATA && ClfsRestartRecord == CLFS_RESTART &&
                  ClfsClientRecord == CLFS_ANY,
              "so do types");

/* ---- contexts ---- */

/* A place among the area's read blocks. Answers: LOG_BLOCKS_EXHAUSTED [CLFS-AREA-13,
 * CLFS-READ-18]. */
static NTSTATUS
context_claim(struct clfs_marshal *marshal)
{
    unsigned count = atomic_fetch_add(&marshal->contexts, 1);

    if (marshal->contexts_max && count >= marshal->contexts_max) {
        atomic_fetch_sub(&marshal->contexts, 1);
        return status_raise(STATUS_LOG_BLOCKS_EXHAUSTED);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
context_create(struct clfs_marshal *marshal, struct clfs_context **out)
{
    struct clfs_context *context;

    TRY(context_claim(marshal));
    context = calloc(1, sizeof(*context));
    if (!context) {
        atomic_fetch_sub(&marshal->contexts, 1);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    context->marshal = marshal;
    atomic_flag_clear(&context->is_busy);
    atomic_fetch_add(&marshal->refs, 1); /* [CLFS-CONC-08] */
    *out = context;
    return STATUS_SUCCESS;
}

static void
context_destroy(struct clfs_context *context)
{
    if (!context)
        return;
    clfs_reader_destroy(context->reader);
    atomic_fetch_sub(&context->marshal->contexts, 1);
    clfs_marshal_unref(context->marshal);
    free(context);
}
OWNED_BY(struct clfs_context, context_destroy)

/* A call of one thread on a context [CLFS-CONC-03]. */
struct turn {
    struct clfs_object *object;
    bool is_mine;
};

static void
owned_turn(struct turn *turn)
{
    if (turn->is_mine)
        atomic_flag_clear_explicit(&clfs_context(turn->object)->is_busy, memory_order_release);
    clfs_object_release(turn->object);
}

/* Answers: INVALID_PARAMETER, INVALID_HANDLE, LOG_READ_CONTEXT_INVALID (the area is gone),
 * ACCESS_DENIED, DEVICE_BUSY. */
static NTSTATUS
turn_take(struct turn *turn, const void *pointer)
{
    struct clfs_context *context;

    TRY(clfs_object_acquire(pointer, CLFS_KIND_CONTEXT, &turn->object));
    context = clfs_context(turn->object);
    if (atomic_load(&context->marshal->is_deleted))
        return status_raise(STATUS_LOG_READ_CONTEXT_INVALID); /* [CLFS-AREA-22] */
    if (atomic_flag_test_and_set_explicit(&context->is_busy, memory_order_acquire))
        return status_raise(STATUS_DEVICE_BUSY);
    turn->is_mine = true;
    return STATUS_SUCCESS;
}

/* ---- outputs ---- */

static void
lsn_tell(PCLFS_LSN out, uint64_t value)
{
    if (out)
        out->Internal = value;
}

static void
data_tell(const struct clfs_record *record, PVOID *data, PULONG size)
{
    *data = (PVOID)(uintptr_t)record->data.at; /* read-only by contract [CLFS-READ-21] */
    *size = (ULONG)record->data.size;
}

static PVOID
context_publish(struct clfs_context *context)
{
    clfs_object_add(&context->object, CLFS_KIND_CONTEXT);
    return &context->object;
}

/* ---- the routines ---- */

NTSTATUS NTAPI
ClfsReadLogRecord(PVOID pvMarshalContext, PCLFS_LSN plsnFirst, CLFS_CONTEXT_MODE peContextMode,
                  PVOID *ppvReadBuffer, PULONG pcbReadBuffer, PCLFS_RECORD_TYPE peRecordType,
                  PCLFS_LSN plsnUndoNext, PCLFS_LSN plsnPrevious, PVOID *ppvReadContext)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    owned(context_destroy) struct clfs_context *context = NULL;
    struct clfs_record record;

    if (ppvReadContext)
        *ppvReadContext = NULL; /* [CLFS-READ-19] */
    if (ppvReadBuffer)
        *ppvReadBuffer = NULL;
    if (!plsnFirst || !ppvReadBuffer || !pcbReadBuffer || !ppvReadContext) /* [CLFS-READ-20] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_READ));
    TRY(context_create(clfs_marshal(object), &context));
    TRY(clfs_read(clfs_marshal(object)->area, plsnFirst->Internal, (enum clfs_mode)peContextMode,
                  &record, &context->reader));
    data_tell(&record, ppvReadBuffer, pcbReadBuffer);
    if (peRecordType)
        *peRecordType = (CLFS_RECORD_TYPE)record.type;
    lsn_tell(plsnUndoNext, record.undo_next);
    lsn_tell(plsnPrevious, record.previous);
    *ppvReadContext = context_publish(give(context));
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsReadNextLogRecord(PVOID pvReadContext, PVOID *ppvBuffer, PULONG pcbBuffer,
                      PCLFS_RECORD_TYPE peRecordType, PCLFS_LSN plsnUser, PCLFS_LSN plsnUndoNext,
                      PCLFS_LSN plsnPrevious, PCLFS_LSN plsnRecord)
{
    __attribute__((cleanup(owned_turn))) struct turn turn = {0};
    struct clfs_record record;

    if (ppvBuffer)
        *ppvBuffer = NULL;
    if (!ppvBuffer || !pcbBuffer || !peRecordType || !(*peRecordType & ClfsClientRecord))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-READ-26] */
    TRY(turn_take(&turn, pvReadContext));
    TRY(clfs_read_next(clfs_context(turn.object)->reader, *peRecordType,
                       plsnUser ? &plsnUser->Internal : NULL, &record));
    data_tell(&record, ppvBuffer, pcbBuffer);
    *peRecordType = (CLFS_RECORD_TYPE)record.type; /* [CLFS-READ-25] */
    lsn_tell(plsnUndoNext, record.undo_next);
    lsn_tell(plsnPrevious, record.previous);
    lsn_tell(plsnRecord, record.lsn);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsReadRestartArea(PVOID pvMarshalContext, PVOID *ppvRestartBuffer, PULONG pcbRestartBuffer,
                    PCLFS_LSN plsn, PVOID *ppvReadContext)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    owned(context_destroy) struct clfs_context *context = NULL;
    struct clfs_record record;

    if (ppvReadContext)
        *ppvReadContext = NULL; /* [CLFS-RESTART-22, -24] */
    if (ppvRestartBuffer)
        *ppvRestartBuffer = NULL;
    if (!ppvRestartBuffer || !pcbRestartBuffer || !plsn || !ppvReadContext)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_READ));
    TRY(context_create(clfs_marshal(object), &context));
    TRY(clfs_read_restart(clfs_marshal(object)->area, &record, &context->reader));
    data_tell(&record, ppvRestartBuffer, pcbRestartBuffer);
    plsn->Internal = record.lsn;
    *ppvReadContext = context_publish(give(context));
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsReadPreviousRestartArea(PVOID pvReadContext, PVOID *ppvRestartBuffer, PULONG pcbRestartBuffer,
                            PCLFS_LSN plsnRestart)
{
    __attribute__((cleanup(owned_turn))) struct turn turn = {0};
    struct clfs_record record;

    if (ppvRestartBuffer)
        *ppvRestartBuffer = NULL;
    if (!ppvRestartBuffer || !pcbRestartBuffer || !plsnRestart)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(turn_take(&turn, pvReadContext));
    TRY(clfs_read_previous_restart(clfs_context(turn.object)->reader, &record));
    data_tell(&record, ppvRestartBuffer, pcbRestartBuffer);
    plsnRestart->Internal = record.lsn; /* [CLFS-RESTART-28] */
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsTerminateReadLog(PVOID pvCursorContext)
{
    struct clfs_object *object;

    TRY(clfs_object_end(pvCursorContext, CLFS_KIND_CONTEXT, &object));
    context_destroy(clfs_context(object));
    return STATUS_SUCCESS; /* [CLFS-READ-43] */
}
