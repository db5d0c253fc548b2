/* SPDX-License-Identifier: MIT */
/* Marshalling areas, and all that writes through them [docs/spec/clfs.md sections 6.8 to 6.13]. */
#include <stdlib.h>

#include "nt/clfs_object.h"
#include "nt/clfs_reserve.h"

#define BLOCK_TAG   0x6D736C43u /* 'Clsm', given to the allocation callback */
#define ALIGNED_MAX 64u         /* parts on the stack */

/* ---- life ---- */

static void *
block_allocate(void *context, size_t size)
{
    struct clfs_marshal *marshal = context;

    return marshal->allocate(marshal->pool, size, BLOCK_TAG);
}

static void
block_release(void *context, void *memory)
{
    struct clfs_marshal *marshal = context;

    marshal->release(memory);
}

void
clfs_marshal_unref(struct clfs_marshal *marshal)
{
    if (atomic_fetch_sub(&marshal->refs, 1) == 1)
        free(marshal);
}

static void
area_ended(void *context)
{
    clfs_marshal_unref(context);
}

static NTSTATUS
marshal_create(PLOG_FILE_OBJECT file, uint32_t block_size, ULONG writes_max,
               struct clfs_marshal *marshal)
{
    struct clfs_area_options options = {
        .allocate = marshal->allocate ? block_allocate : NULL,
        .release = marshal->allocate ? block_release : NULL,
        .ended = area_ended,
        .context = marshal,
        .blocks_max = writes_max == INFINITE ? 0 : writes_max,
    };

    /* Reading alone will do too; each call checks what it needs [CLFS-AREA-15]. */
    TRY(clfs_access_check(file->access, CLFS_ACCESS_READ | CLFS_ACCESS_WRITE));
    marshal->access = file->access;
    return clfs_area_create_with(file->log, block_size, &options, &marshal->area);
}

NTSTATUS NTAPI
ClfsCreateMarshallingAreaEx(PLOG_FILE_OBJECT plfoLog, POOL_TYPE ePoolType,
                            PALLOCATE_FUNCTION pfnAllocBuffer, PFREE_FUNCTION pfnFreeBuffer,
                            ULONG cbMarshallingBuffer, ULONG cMaxWriteBuffers,
                            ULONG cMaxReadBuffers, ULONG cAlignmentSize, ULONGLONG fFlags,
                            PVOID *ppvMarshalContext)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct clfs_marshal *marshal;
    NTSTATUS status;

    if (!ppvMarshalContext)
        return status_raise(STATUS_INVALID_PARAMETER);
    *ppvMarshalContext = NULL; /* [CLFS-AREA-17] */
    if (!pfnAllocBuffer != !pfnFreeBuffer || cbMarshallingBuffer == 0 || cMaxWriteBuffers == 0 ||
        cMaxReadBuffers == 0 || (cAlignmentSize & (cAlignmentSize - 1)) ||
        (fFlags & ~(ULONGLONG)CLFS_MARSHALLING_FLAG_DISABLE_BUFF_INIT))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-AREA-03, -09, -14, -18] */
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    marshal = calloc(1, sizeof(*marshal));
    if (!marshal)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    marshal->pool = ePoolType;
    marshal->allocate = pfnAllocBuffer;
    marshal->release = pfnFreeBuffer;
    marshal->contexts_max = cMaxReadBuffers == INFINITE ? 0 : cMaxReadBuffers;
    marshal->refs = 2; /* until it is deleted, and until the log has let go of its memory */
    status = marshal_create(clfs_file(object), cbMarshallingBuffer, cMaxWriteBuffers, marshal);
    if (status != STATUS_SUCCESS) {
        free(marshal);
        return status;
    }
    clfs_object_add(&marshal->object, CLFS_KIND_AREA);
    *ppvMarshalContext = &marshal->object;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsCreateMarshallingArea(PLOG_FILE_OBJECT plfoLog, POOL_TYPE ePoolType,
                          PALLOCATE_FUNCTION pfnAllocBuffer, PFREE_FUNCTION pfnFreeBuffer,
                          ULONG cbMarshallingBuffer, ULONG cMaxWriteBuffers, ULONG cMaxReadBuffers,
                          PVOID *ppvMarshalContext)
{
    return ClfsCreateMarshallingAreaEx(plfoLog, ePoolType, pfnAllocBuffer, pfnFreeBuffer,
                                       cbMarshallingBuffer, cMaxWriteBuffers, cMaxReadBuffers, 0,
                                       CLFS_MARSHALLING_FLAG_NONE, ppvMarshalContext);
}

NTSTATUS NTAPI
ClfsDeleteMarshallingArea(PVOID pvMarshalContext)
{
    struct clfs_object *object;
    struct clfs_marshal *marshal;
    NTSTATUS status;

    TRY(clfs_object_end(pvMarshalContext, CLFS_KIND_AREA, &object));
    marshal = clfs_marshal(object);
    atomic_store(&marshal->is_deleted, true); /* its contexts see it [CLFS-AREA-22] */
    status = clfs_area_destroy(marshal->area);
    clfs_marshal_unref(marshal);
    return status; /* [CLFS-AREA-24] */
}

/* ---- appending ---- */

struct append {
    const CLFS_WRITE_ENTRY *entries;
    ULONG count, alignment;
    uint64_t previous, undo_next;
    ULONG flags;
};

/* The entries as parts, with zeros between them so that each starts at a multiple of the alignment.
 * [CLFS-APPEND-05, -06] */
static NTSTATUS
parts_fill(const struct append *append, struct bytes *parts, size_t *count)
{
    static const uint8_t zeros[4096];
    uint64_t size = 0;

    *count = 0;
    for (ULONG i = 0; i < append->count; i++) {
        const CLFS_WRITE_ENTRY *entry = &append->entries[i];
        uint64_t gap = i ? (append->alignment - size % append->alignment) % append->alignment : 0;

        if (entry->ByteLength && !entry->Buffer) /* [CLFS-APPEND-10] */
            return status_raise(STATUS_INVALID_PARAMETER);
        if (gap > sizeof(zeros))
            return status_raise(STATUS_INVALID_PARAMETER);
        if (gap)
            parts[(*count)++] = bytes_of(zeros, gap);
        parts[(*count)++] = bytes_of(entry->Buffer, entry->ByteLength);
        size += gap + entry->ByteLength; /* 2^32 entries of 2^32 bytes fit */
    }
    return STATUS_SUCCESS;
}

/* A low limit of write blocks makes the append wait for one to be written, never fail
 * [CLFS-AREA-12]. */
static NTSTATUS
append_patiently(struct clfs_area *area, const struct append *append, const struct bytes *parts,
                 size_t count, uint64_t *lsn)
{
    unsigned flags = append->flags & CLFS_FLAG_USE_RESERVATION ? CLFS_FROM_RESERVATION : 0;

    for (;;) {
        NTSTATUS status =
            clfs_append(area, parts, count, append->previous, append->undo_next, flags, lsn);

        if (status != STATUS_LOG_BLOCKS_EXHAUSTED)
            return status;
        TRY(clfs_write_out(area));
    }
}

static NTSTATUS
record_append(struct clfs_area *area, const struct append *append, uint64_t *lsn)
{
    struct bytes few[ALIGNED_MAX], *parts = few;
    size_t room = 2 * (size_t)append->count, count;
    NTSTATUS status;

    if (room > ARRAY_SIZE(few)) {
        parts = calloc(room, sizeof(parts[0]));
        if (!parts)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    status = parts_fill(append, parts, &count);
    if (status == STATUS_SUCCESS)
        status = append_patiently(area, append, parts, count, lsn);
    if (parts != few)
        free(parts);
    return status;
}

/* Reservations and record, all or nothing [CLFS-APPEND-02]. */
static NTSTATUS
reserve_and_append(struct clfs_area *area, const struct append *append,
                   const struct clfs_reserve *reserve, uint64_t *lsn)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (reserve->records || reserve->bytes)
        TRY(clfs_reserve_apply(area, reserve));
    if (append->count)
        status = record_append(area, append, lsn);
    if (status != STATUS_SUCCESS && (reserve->records || reserve->bytes))
        (void)!clfs_adjust_reservation(area, -reserve->records, -reserve->bytes);
    return status;
}

/* What FORCE_APPEND and FORCE_FLUSH ask for; without them, writing on our own discretion
 * [CLFS-APPEND-13, -23, -24, CLFS-DUR-01, -02]. */
static NTSTATUS
flags_act(struct clfs_area *area, ULONG flags, bool has_appended)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (flags & CLFS_FLAG_FORCE_FLUSH)
        status = clfs_flush(area, 0, NULL);
    else if (flags & CLFS_FLAG_FORCE_APPEND)
        status = clfs_write_out(area);
    else if (has_appended)
        (void)!clfs_write_behind(area); /* a failure is told by the next call that needs the disk */
    if (status != STATUS_SUCCESS && has_appended)
        return status_raise(STATUS_LOG_APPENDED_FLUSH_FAILED); /* [CLFS-DUR-14] */
    return status;
}

/* [CLFS-APPEND-04, -09, -16, -26..29] */
static NTSTATUS
append_check(const struct append *append, ULONG reservations, const LONGLONG *sizes)
{
    ULONG valid = CLFS_FLAG_FORCE_APPEND | CLFS_FLAG_FORCE_FLUSH | CLFS_FLAG_USE_RESERVATION;

    if ((append->flags & ~valid) || append->alignment == 0 || (append->count && !append->entries) ||
        (reservations && !sizes) || append->previous > CLFS_LSN_NONE ||
        append->undo_next > CLFS_LSN_NONE)
        return status_raise(STATUS_INVALID_PARAMETER);
    if ((append->flags & CLFS_FLAG_USE_RESERVATION) &&
        (append->count == 0 || reservations || sizes))
        return status_raise(STATUS_INVALID_PARAMETER);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsReserveAndAppendLogAligned(PVOID pvMarshalContext, PCLFS_WRITE_ENTRY rgWriteEntries,
                               ULONG cWriteEntries, ULONG cbEntryAlignment, PCLFS_LSN plsnUndoNext,
                               PCLFS_LSN plsnPrevious, ULONG cReserveRecords,
                               PLONGLONG rgcbReservation, ULONG fFlags, PCLFS_LSN plsn)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct append append = {.entries = rgWriteEntries,
                            .count = cWriteEntries,
                            .alignment = cbEntryAlignment,
                            .previous = plsnPrevious ? plsnPrevious->Internal : CLFS_LSN_NONE,
                            .undo_next = plsnUndoNext ? plsnUndoNext->Internal : CLFS_LSN_NONE,
                            .flags = fFlags}; /* [CLFS-CHAIN-06] */
    struct clfs_reserve reserve;
    struct clfs_area *area;
    uint64_t lsn = CLFS_LSN_NONE;

    TRY(append_check(&append, cReserveRecords, rgcbReservation));
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_WRITE));
    area = clfs_marshal(object)->area;
    if (cWriteEntries > 1 && cbEntryAlignment > clfs_area_block_size(area))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-APPEND-07] */
    TRY(clfs_reserve_sum(area, cReserveRecords, rgcbReservation, &reserve));
    TRY(reserve_and_append(area, &append, &reserve, &lsn));
    clfs_reserve_report(area, cReserveRecords, rgcbReservation); /* [CLFS-APPEND-30] */
    if (plsn && cWriteEntries)
        plsn->Internal = lsn;
    return flags_act(area, fFlags, cWriteEntries > 0);
}

NTSTATUS NTAPI
ClfsReserveAndAppendLog(PVOID pvMarshalContext, PCLFS_WRITE_ENTRY rgWriteEntries,
                        ULONG cWriteEntries, PCLFS_LSN plsnUndoNext, PCLFS_LSN plsnPrevious,
                        ULONG cReserveRecords, PLONGLONG rgcbReservation, ULONG fFlags,
                        PCLFS_LSN plsn)
{
    return ClfsReserveAndAppendLogAligned(pvMarshalContext, rgWriteEntries, cWriteEntries, 1,
                                          plsnUndoNext, plsnPrevious, cReserveRecords,
                                          rgcbReservation, fFlags, plsn); /* [CLFS-APPEND-03] */
}

/* ---- flushing, base, restart ---- */

NTSTATUS NTAPI
ClfsFlushToLsn(PVOID pvMarshalContext, PCLFS_LSN plsnFlush, PCLFS_LSN plsnLastFlushed)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    uint64_t flushed;

    if (!plsnFlush)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-FLUSH-12] */
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_WRITE));
    TRY(clfs_flush(clfs_marshal(object)->area, plsnFlush->Internal, &flushed));
    if (plsnLastFlushed)
        plsnLastFlushed->Internal = flushed;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsFlushBuffers(PVOID pvMarshalContext)
{
    CLFS_LSN all = CLFS_LSN_NULL; /* [CLFS-FLUSH-03] */

    return ClfsFlushToLsn(pvMarshalContext, &all, NULL);
}

NTSTATUS NTAPI
ClfsAdvanceLogBase(PVOID pvMarshalContext, PCLFS_LSN plsnBase, ULONG fFlags)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;

    if (!plsnBase || fFlags) /* [CLFS-BASE-16] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_WRITE));
    return clfs_advance_base(clfs_marshal(object)->area, plsnBase->Internal);
}

static NTSTATUS
restart_write(struct clfs_area *area, struct bytes data, const CLFS_LSN *base, ULONG flags,
              uint64_t *lsn)
{
    unsigned from = flags & CLFS_FLAG_USE_RESERVATION ? CLFS_FROM_RESERVATION : 0;

    if (base && base->Internal >= CLFS_LSN_NONE)
        return status_raise(STATUS_LOG_TAIL_INVALID);
    for (;;) {
        NTSTATUS status =
            clfs_write_restart(area, data, base ? base->Internal : CLFS_LSN_NONE, from, lsn);

        if (status != STATUS_LOG_BLOCKS_EXHAUSTED)
            return status;
        TRY(clfs_write_out(area));
    }
}

NTSTATUS NTAPI
ClfsWriteRestartArea(PVOID pvMarshalContext, PVOID pvRestartBuffer, ULONG cbRestartBuffer,
                     PCLFS_LSN plsnBase, ULONG fFlags, PULONG pcbWritten, PCLFS_LSN plsnNext)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct clfs_area *area;
    uint64_t lsn;

    if ((!pvRestartBuffer && cbRestartBuffer) || (fFlags & ~(ULONG)CLFS_FLAG_USE_RESERVATION))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-RESTART-06, -14] */
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_WRITE));
    area = clfs_marshal(object)->area;
    TRY(restart_write(area, bytes_of(pvRestartBuffer, cbRestartBuffer), plsnBase, fFlags, &lsn));
    if (pcbWritten) /* [CLFS-RESTART-10] */
        *pcbWritten = (ULONG)clfs_reserved_size(area, cbRestartBuffer);
    if (plsnNext)
        plsnNext->Internal = lsn;
    return STATUS_SUCCESS;
}
