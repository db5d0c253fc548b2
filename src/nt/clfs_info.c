/* SPDX-License-Identifier: MIT */
/* What a log says about itself [docs/spec/clfs.md section 6.7]. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "nt/clfs_object.h"

static CLFS_LSN
lsn(uint64_t value)
{
    return (CLFS_LSN){value};
}

/* [CLFS-INFO-19] */
static ULONG
attributes(const struct _FILE_OBJECT *file)
{
    return FILE_ATTRIBUTE_DEDICATED | (file->is_readonly ? FILE_ATTRIBUTE_READONLY : 0);
}

static void
information_fill(const struct _FILE_OBJECT *file, CLFS_INFORMATION *out)
{
    struct clfs_info info;

    clfs_log_info(file->log, &info);
    *out = (CLFS_INFORMATION){
        .TotalAvailable = (LONGLONG)info.total_available,
        .CurrentAvailable = (LONGLONG)info.current_available,
        .TotalReservation = (LONGLONG)info.total_reservation,
        .BaseFileSize = info.base_file_size,
        .ContainerSize = info.container_size,
        .TotalContainers = info.containers,
        .FreeContainers = info.containers_free,
        .TotalClients = 1, /* a dedicated log has one stream */
        .Attributes = attributes(file),
        .FlushThreshold = info.flush_threshold,
        .SectorSize = info.sector_size,
        .MinArchiveTailLsn = lsn(CLFS_LSN_NONE), /* ephemeral [CLFS-BASE-09] */
        .BaseLsn = lsn(info.base_lsn),
        .LastFlushedLsn = lsn(info.flushed_lsn),
        .LastLsn = lsn(info.last_lsn),
        .RestartLsn = lsn(info.restart_lsn),
        .Identity = info.identity,
    };
}

/* An answer of fixed size [CLFS-INFO-11]. */
static NTSTATUS
answer(const void *data, ULONG size, void *buffer, ULONG *length)
{
    ULONG room = *length;

    *length = size;
    if (room < size)
        return status_raise(STATUS_BUFFER_TOO_SMALL);
    memcpy(buffer, data, size);
    return STATUS_SUCCESS;
}

/* [CLFS-INFO-07, -12] */
static NTSTATUS
name_answer(const struct _FILE_OBJECT *file, void *buffer, ULONG *length)
{
    ULONG room = *length, head = offsetof(CLFS_LOG_NAME_INFORMATION, Name), fit;
    uint16_t *units;
    USHORT bytes;
    size_t count;

    TRY(text_to_utf16(file->path, &units, &count));
    bytes = count > UINT16_MAX / 2 ? UINT16_MAX - 1 : (USHORT)(count * sizeof(units[0]));
    *length = head + bytes;
    if (room < sizeof(CLFS_LOG_NAME_INFORMATION)) {
        free(units);
        return status_raise(STATUS_BUFFER_TOO_SMALL);
    }
    fit = (room - head) & ~1u;
    memcpy(buffer, &bytes, sizeof(bytes));
    memcpy((uint8_t *)buffer + head, units, fit < bytes ? fit : bytes);
    free(units);
    if (fit >= bytes)
        return STATUS_SUCCESS;
    *length = head + fit;
    return status_raise(STATUS_BUFFER_OVERFLOW);
}

/* The identity, on a dedicated log whose only stream has the identifier 0 [CLFS-INFO-09]. */
static NTSTATUS
physical_lsn_answer(const void *input, ULONG input_size, void *buffer, ULONG *length)
{
    CLFS_PHYSICAL_LSN_INFORMATION info;

    if (!input || input_size < sizeof(info))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-INFO-10] */
    memcpy(&info, input, sizeof(info));
    if (info.StreamIdentifier != 0)
        return status_raise(STATUS_NOT_FOUND);
    info.PhysicalLsn = info.VirtualLsn;
    return answer(&info, sizeof(info), buffer, length);
}

NTSTATUS NTAPI
ClfsQueryLogFileInformation(PLOG_FILE_OBJECT plfoLog, CLFS_LOG_INFORMATION_CLASS eInformationClass,
                            PVOID pinfoInputBuffer, ULONG cbinfoInputBuffer, PVOID pinfoBuffer,
                            PULONG pcbInfoBuffer)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    static const CLFS_STREAM_ID_INFORMATION stream = {0}; /* [CLFS-INFO-08] */
    static const ULONG markings;
    CLFS_INFORMATION info;

    if (!pcbInfoBuffer || (!pinfoBuffer && *pcbInfoBuffer))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    switch (eInformationClass) {
    case ClfsLogBasicInformation:
    case ClfsLogBasicInformationPhysical: /* equal on a dedicated log [CLFS-INFO-04] */
        information_fill(clfs_file(object), &info);
        return answer(&info, sizeof(info), pinfoBuffer, pcbInfoBuffer);
    case ClfsLogPhysicalNameInformation:
        return name_answer(clfs_file(object), pinfoBuffer, pcbInfoBuffer);
    case ClfsLogStreamIdentifierInformation:
        return answer(&stream, sizeof(stream), pinfoBuffer, pcbInfoBuffer);
    case ClfsLogSystemMarkingInformation:
        return answer(&markings, sizeof(markings), pinfoBuffer, pcbInfoBuffer);
    case ClfsLogPhysicalLsnInformation:
        return physical_lsn_answer(pinfoInputBuffer, cbinfoInputBuffer, pinfoBuffer, pcbInfoBuffer);
    default:
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [CLFS-INFO-13] */
    }
}

NTSTATUS NTAPI
ClfsGetLogFileInformation(PLOG_FILE_OBJECT plfoLog, PCLFS_INFORMATION pinfoBuffer,
                          PULONG pcbInfoBuffer)
{
    return ClfsQueryLogFileInformation(plfoLog, ClfsLogBasicInformation, NULL, 0, pinfoBuffer,
                                       pcbInfoBuffer); /* [CLFS-INFO-14] */
}

/* The archive bit is all that can be set, and it can only stay clear: an archive tail is not
 * supported [CLFS-INFO-23, -24]. */
NTSTATUS NTAPI
ClfsSetLogFileInformation(PLOG_FILE_OBJECT plfoLog, CLFS_LOG_INFORMATION_CLASS eInformationClass,
                          PVOID pinfoBuffer, ULONG cbBuffer)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    CLFS_INFORMATION info;

    if (!pinfoBuffer)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    TRY(clfs_access_check(clfs_file(object)->access, CLFS_ACCESS_WRITE));
    if (eInformationClass != ClfsLogBasicInformation &&
        eInformationClass != ClfsLogBasicInformationPhysical)
        return status_raise(STATUS_NOT_SUPPORTED);
    if (cbBuffer != sizeof(info))
        return status_raise(STATUS_INFO_LENGTH_MISMATCH);
    memcpy(&info, pinfoBuffer, sizeof(info));
    return info.Attributes & FILE_ATTRIBUTE_ARCHIVE ? status_raise(STATUS_NOT_SUPPORTED)
                                                    : STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsGetLastLsn(PLOG_FILE_OBJECT plfoLog, PCLFS_LSN plsnLast)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    struct clfs_info info;

    if (!plsnLast)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    clfs_log_info(clfs_file(object)->log, &info);
    plsnLast->Internal = info.last_lsn; /* [CLFS-INFO-25] */
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsGetIoStatistics(PLOG_FILE_OBJECT plfoLog, PVOID pvStatsBuffer, ULONG cbStatsBuffer,
                    CLFS_IOSTATS_CLASS eStatsClass, PULONG pcbStatsWritten)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;
    CLFS_IO_STATISTICS statistics = {.hdrIoStats = {.ubMajorVersion = 1,
                                                    .eStatsClass = eStatsClass,
                                                    .cbLength = sizeof(statistics),
                                                    .coffData = sizeof(statistics.hdrIoStats)}};
    struct clfs_info info;
    ULONG fit = cbStatsBuffer < sizeof(statistics) ? cbStatsBuffer : sizeof(statistics);

    if (!pvStatsBuffer || cbStatsBuffer < sizeof(statistics.hdrIoStats))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-IOST-02] */
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    clfs_log_info(clfs_file(object)->log, &info);
    statistics.cFlush = info.flushes;
    statistics.cbFlush = info.flushed_bytes;
    statistics.cMetaFlush = info.metadata_flushes;
    statistics.cbMetaFlush = info.metadata_bytes;
    memcpy(pvStatsBuffer, &statistics, fit); /* a prefix, if that is all that fits [CLFS-IOST-03] */
    if (pcbStatsWritten)
        *pcbStatsWritten = fit;
    return STATUS_SUCCESS;
}
