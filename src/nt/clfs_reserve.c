/* SPDX-License-Identifier: MIT */
/* See clfs_reserve.h. */
#include "nt/clfs_reserve.h"

#include "nt/clfs_object.h"

/* What releasing "-size" gives back: 'size' itself if it is what some record takes, else what a
 * record of 'size' data bytes takes; 0: neither [CLFS-APPEND-32, OP-44]. */
static uint64_t
released_size(struct clfs_area *area, uint64_t size)
{
    uint64_t largest = clfs_reserved_size(area, clfs_record_size_max(clfs_area_block_size(area)));
    uint64_t smallest = clfs_reserved_size(area, 1), step = CLFS_SECTOR_SIZE;

    if (size % step == 0 && size % smallest == 0 && size >= smallest && size <= largest)
        return size;
    return clfs_reserved_size(area, size);
}

NTSTATUS
clfs_reserve_sum(struct clfs_area *area, ULONG count, const LONGLONG *sizes,
                 struct clfs_reserve *out)
{
    *out = (struct clfs_reserve){0};
    for (ULONG i = 0; i < count; i++) {
        bool releases = sizes[i] < 0;
        uint64_t size, space;

        if (sizes[i] == 0)
            return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-APPEND-33, CLFS-RESV-16] */
        size = releases ? -(uint64_t)sizes[i] : (uint64_t)sizes[i];
        space = releases ? released_size(area, size) : clfs_reserved_size(area, size);
        if (space == 0 || __builtin_add_overflow(
                              out->bytes, releases ? -(int64_t)space : (int64_t)space, &out->bytes))
            return status_raise(STATUS_LOG_RESERVATION_INVALID);
        out->records += releases ? -1 : 1; /* of at most 2^32 */
        out->releases |= releases;
    }
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_reserve_apply(struct clfs_area *area, const struct clfs_reserve *reserve)
{
    NTSTATUS status = clfs_adjust_reservation(area, reserve->records, reserve->bytes);

    if (reserve->releases &&
        (status == STATUS_LOG_RECORDS_RESERVED_INVALID ||
         status == STATUS_LOG_SPACE_RESERVED_INVALID || status == STATUS_INVALID_PARAMETER))
        return status_raise(STATUS_LOG_RESERVATION_INVALID);
    return status;
}

void
clfs_reserve_report(struct clfs_area *area, ULONG count, LONGLONG *sizes)
{
    for (ULONG i = 0; i < count; i++)
        if (sizes[i] > 0)
            sizes[i] = (LONGLONG)clfs_reserved_size(area, (uint64_t)sizes[i]);
}

/* ---- the routines ---- */

NTSTATUS NTAPI
ClfsAlignReservedLog(PVOID pvMarshalContext, ULONG cRecords, LONGLONG rgcbReservation[],
                     PLONGLONG pcbAlignReservation)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct clfs_reserve reserve;

    if (!pcbAlignReservation)
        return status_raise(STATUS_INVALID_PARAMETER);
    *pcbAlignReservation = 0; /* [CLFS-RESV-17] */
    if (cRecords == 0 || !rgcbReservation)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    for (ULONG i = 0; i < cRecords; i++)
        if (rgcbReservation[i] <= 0)
            return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-RESV-16] */
    TRY(clfs_reserve_sum(clfs_marshal(object)->area, cRecords, rgcbReservation, &reserve));
    *pcbAlignReservation = reserve.bytes;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsAllocReservedLog(PVOID pvMarshalContext, ULONG cRecords, PLONGLONG pcbAdjustment)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct clfs_area *area;

    if (!pcbAdjustment || cRecords == 0 || *pcbAdjustment <= 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-RESV-19] */
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_WRITE));
    area = clfs_marshal(object)->area;
    if (*pcbAdjustment % (LONGLONG)clfs_reserved_size(area, 1)) /* a sector */
        return status_raise(STATUS_INVALID_PARAMETER);
    return clfs_adjust_reservation(area, cRecords, *pcbAdjustment);
}

/* What is to be taken away, from the three forms of the argument [CLFS-RESV-22..26]. */
static NTSTATUS
free_amount(struct clfs_area *area, ULONG count, LONGLONG adjustment, uint64_t *records,
            uint64_t *bytes)
{
    uint64_t held_records, held_bytes;

    clfs_area_reservation(area, &held_records, &held_bytes);
    if (adjustment == 0) {
        *records = held_records;
        *bytes = held_bytes;
        return count ? status_raise(STATUS_INVALID_PARAMETER) : STATUS_SUCCESS;
    }
    if (adjustment > 0) { /* the totals that are to remain */
        if (count > held_records || (uint64_t)adjustment > held_bytes)
            return status_raise(STATUS_LOG_RESERVATION_INVALID);
        *records = held_records - count;
        *bytes = held_bytes - (uint64_t)adjustment;
        return STATUS_SUCCESS;
    }
    if (count == 0 || adjustment == INT64_MIN)
        return status_raise(STATUS_INVALID_PARAMETER);
    *records = count;
    *bytes = (uint64_t)-adjustment;
    if (count > held_records) /* [CLFS-RESV-25] */
        return status_raise(STATUS_LOG_RECORDS_RESERVED_INVALID);
    if (*bytes > held_bytes)
        return status_raise(STATUS_LOG_SPACE_RESERVED_INVALID);
    if (count == held_records) /* what is left over goes too [CLFS-RESV-26] */
        *bytes = held_bytes;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsFreeReservedLog(PVOID pvMarshalContext, ULONG cRecords, PLONGLONG pcbAdjustment)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct clfs_area *area;
    uint64_t records, bytes;

    if (!pcbAdjustment)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(pvMarshalContext, CLFS_KIND_AREA, &object));
    TRY(clfs_access_check(clfs_marshal(object)->access, CLFS_ACCESS_WRITE));
    area = clfs_marshal(object)->area;
    TRY(free_amount(area, cRecords, *pcbAdjustment, &records, &bytes));
    TRY(clfs_adjust_reservation(area, -(int64_t)records, -(int64_t)bytes));
    *pcbAdjustment = (LONGLONG)bytes; /* [CLFS-RESV-27] */
    return STATUS_SUCCESS;
}
