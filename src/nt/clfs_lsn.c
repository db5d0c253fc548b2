/* SPDX-License-Identifier: MIT */
/* Arithmetic of log sequence numbers [docs/spec/clfs.md section 1.5]. */
#include "clfs/clfs.h"
#include "wdm.h"

const CLFS_LSN CLFS_LSN_NULL = {0}; /* [CLFS-LSN-27] */
const CLFS_LSN CLFS_LSN_INVALID = {CLFS_LSN_NONE};

static_assert(CLFS_LSN_NONE == 0xFFFFFFFF00000000, "not all ones [CLFS-LSN-03]");

CLFS_LSN NTAPI
ClfsLsnCreate(CLFS_CONTAINER_ID cidContainer, ULONG offBlock, ULONG cRecord)
{
    /* [CLFS-LSN-11, -12, -13] */
    if (cidContainer == UINT32_MAX || offBlock % CLFS_SECTOR_SIZE || cRecord > 511)
        return CLFS_LSN_INVALID;
    return (CLFS_LSN){clfs_lsn_make(cidContainer, offBlock, cRecord)};
}

CLFS_CONTAINER_ID NTAPI
ClfsLsnContainer(const CLFS_LSN *plsn)
{
    return clfs_lsn_container(plsn->Internal);
}

ULONG NTAPI
ClfsLsnBlockOffset(const CLFS_LSN *plsn)
{
    return clfs_lsn_offset(plsn->Internal); /* in bytes [CLFS-LSN-15] */
}

ULONG NTAPI
ClfsLsnRecordSequence(const CLFS_LSN *plsn)
{
    return clfs_lsn_sequence(plsn->Internal);
}

BOOLEAN NTAPI
ClfsLsnEqual(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2)
{
    return plsn1->Internal == plsn2->Internal;
}

BOOLEAN NTAPI
ClfsLsnLess(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2)
{
    return plsn1->Internal < plsn2->Internal; /* [CLFS-LSN-05] */
}

BOOLEAN NTAPI
ClfsLsnGreater(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2)
{
    return plsn1->Internal > plsn2->Internal;
}

BOOLEAN NTAPI
ClfsLsnNull(const CLFS_LSN *plsn)
{
    return plsn->Internal == 0;
}

BOOLEAN NTAPI
ClfsLsnInvalid(const CLFS_LSN *plsn)
{
    return plsn->Internal == CLFS_LSN_NONE;
}

CLFS_LSN NTAPI
ClfsLsnIncrement(PCLFS_LSN plsn)
{
    /* The fields carry into each other because they fill the 64 bits [CLFS-LSN-20, -21]. */
    return plsn->Internal < CLFS_LSN_NONE ? (CLFS_LSN){plsn->Internal + 1} : CLFS_LSN_INVALID;
}

CLFS_LSN NTAPI
ClfsLaterLsn(PCLFS_LSN plsn)
{
    return ClfsLsnIncrement(plsn);
}

CLFS_LSN NTAPI
ClfsEarlierLsn(PCLFS_LSN plsn)
{
    if (plsn->Internal == 0)
        return CLFS_LSN_NULL; /* [CLFS-LSN-22] */
    return plsn->Internal <= CLFS_LSN_NONE ? (CLFS_LSN){plsn->Internal - 1} : CLFS_LSN_INVALID;
}

NTSTATUS NTAPI
ClfsLsnDifference(PCLFS_LSN plsnStart, PCLFS_LSN plsnFinish, ULONG cbContainer, ULONG cbMaxBlock,
                  PLONGLONG pcbDifference)
{
    int64_t containers, bytes;
    uint64_t start, finish;

    if (!plsnStart || !plsnFinish || !pcbDifference || cbContainer == 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-LSN-25] */
    start = plsnStart->Internal;
    finish = plsnFinish->Internal;
    if (start >= CLFS_LSN_NONE || finish >= CLFS_LSN_NONE || start > finish)
        return status_raise(STATUS_INVALID_PARAMETER);
    containers = (int64_t)clfs_lsn_container(finish) - clfs_lsn_container(start);
    bytes = (int64_t)clfs_lsn_offset(finish) - clfs_lsn_offset(start);
    if (clfs_lsn_sequence(finish) > clfs_lsn_sequence(start))
        bytes += cbMaxBlock; /* [CLFS-LSN-24] */
    if (__builtin_mul_overflow(containers, (int64_t)cbContainer, &containers) ||
        __builtin_add_overflow(containers, bytes, &bytes))
        return status_raise(STATUS_INVALID_PARAMETER);
    *pcbDifference = bytes;
    return STATUS_SUCCESS;
}
