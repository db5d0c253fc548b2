/* SPDX-License-Identifier: MIT */
/*
 * Logs by their Win32 names: each function is a Clfs routine of clfs.h in other clothes, and that
 * one's comment is the manual; here stands what is different.
 *
 * Rules for every function:
 *  - FALSE is failure, and GetLastError() gives the Win32 error of the Clfs routine's status; in
 *    particular ERROR_LOG_NO_RESTART is a failure [CLFS-W32-08, CLFS-STAT-04]. "Errors" names,
 *    without ERROR_, those that are not simply so.
 *  - Handles come from CreateLogFile and are closed with CloseHandle [CLFS-W32-01]. Reserved
 *    arguments are NULL [CLFS-W32-11].
 *  - An OVERLAPPED may be given when the log was opened with FILE_FLAG_OVERLAPPED; every call
 *    completes before it returns all the same: TRUE, and the event is set [CLFS-W32-02..07].
 *  - Any thread may call; a read context belongs to one thread at a time [CLFS-W32-09].
 */
#pragma once

#include <stdio.h>

#include "clfstypes.h"
#include "windows.h"

EXTERN_C_START

/* ---- log sequence numbers: as ClfsLsn... in clfs.h ---- */

WINBASEAPI CLFS_LSN WINAPI LsnCreate(CLFS_CONTAINER_ID cidContainer, ULONG offBlock, ULONG cRecord);
WINBASEAPI CLFS_CONTAINER_ID WINAPI LsnContainer(const CLFS_LSN *plsn);
WINBASEAPI ULONG WINAPI LsnBlockOffset(const CLFS_LSN *plsn);
WINBASEAPI ULONG WINAPI LsnRecordSequence(const CLFS_LSN *plsn);
WINBASEAPI BOOLEAN WINAPI LsnEqual(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2);
WINBASEAPI BOOLEAN WINAPI LsnLess(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2);
WINBASEAPI BOOLEAN WINAPI LsnGreater(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2);
WINBASEAPI BOOLEAN WINAPI LsnNull(const CLFS_LSN *plsn);
WINBASEAPI BOOLEAN WINAPI LsnInvalid(const CLFS_LSN *plsn);
WINBASEAPI CLFS_LSN WINAPI LsnIncrement(PCLFS_LSN plsn);

/* ---- opening and deleting ---- */

/* As ClfsCreateLogFile, without option flag and context; INVALID_HANDLE_VALUE on failure. With
 * FILE_FLAG_OVERLAPPED all other flags are ignored [CLFS-W32-03]. */
WINBASEAPI HANDLE WINAPI CreateLogFile(LPCWSTR pszLogFileName, ACCESS_MASK fDesiredAccess,
                                       DWORD dwShareMode, _In_opt_ LPSECURITY_ATTRIBUTES psaLogFile,
                                       ULONG fCreateDisposition, ULONG fFlagsAndAttributes);
/* As ClfsDeleteLogByPointer and ClfsDeleteLogFile. */
WINBASEAPI BOOL WINAPI DeleteLogByHandle(HANDLE hLog);
WINBASEAPI BOOL WINAPI DeleteLogFile(LPCWSTR pszLogFileName, _Reserved_ PVOID pvReserved);
/* As ClfsCloseAndResetLogFile. Errors: INVALID_HANDLE (physical log [CLFS-RESET-09]). */
WINBASEAPI BOOL WINAPI CloseAndResetLogFile(HANDLE hLog);
/* Checks metadata and data of a log that is not open, changes nothing, and reports the first error.
 * 'pinfoBuffer' may receive CLFS_INFORMATION [CLFS-W32-13, CLFS-W32-14]. */
WINBASEAPI BOOL WINAPI ValidateLog(LPCWSTR pszLogFileName,
                                   _In_opt_ LPSECURITY_ATTRIBUTES psaLogFile,
                                   _Out_opt_ PCLFS_INFORMATION pinfoBuffer,
                                   _Inout_opt_ PULONG pcbBuffer);

/* ---- containers ---- */

/* As ClfsAddLogContainer[Set] and ClfsRemoveLogContainer[Set]. */
WINBASEAPI BOOL WINAPI AddLogContainer(HANDLE hLog, _Inout_opt_ PULONGLONG pcbContainer,
                                       LPWSTR pwszContainerPath, _Reserved_ LPVOID pReserved);
WINBASEAPI BOOL WINAPI AddLogContainerSet(HANDLE hLog, USHORT cContainer,
                                          _Inout_opt_ PULONGLONG pcbContainer,
                                          LPWSTR *rgwszContainerPath, _Reserved_ LPVOID pReserved);
WINBASEAPI BOOL WINAPI RemoveLogContainer(HANDLE hLog, LPWSTR pwszContainerPath, BOOL fForce,
                                          _Reserved_ LPVOID pReserved);
WINBASEAPI BOOL WINAPI RemoveLogContainerSet(HANDLE hLog, USHORT cContainer,
                                             LPWSTR *rgwszContainerPath, BOOL fForce,
                                             _Reserved_ LPVOID pReserved);

/* As ClfsCreateScanContext, and makes the first scan too [CLFS-W32-10]. */
WINBASEAPI BOOL WINAPI CreateLogContainerScanContext(HANDLE hLog, ULONG cFromContainer,
                                                     ULONG cContainers, CLFS_SCAN_MODE eScanMode,
                                                     _Inout_ PCLFS_SCAN_CONTEXT pcxScan,
                                                     _Inout_opt_ LPOVERLAPPED pOverlapped);
/* As ClfsScanLogContainers. Errors: NO_MORE_ITEMS (the end). */
WINBASEAPI BOOL WINAPI ScanLogContainers(_Inout_ PCLFS_SCAN_CONTEXT pcxScan,
                                         CLFS_SCAN_MODE eScanMode, _Reserved_ LPVOID pReserved);
/* As ClfsGetContainerName, into 'cLenContainerName' WCHARs, which are written in spite of the
 * const. Errors: MORE_DATA (truncated). */
WINBASEAPI BOOL WINAPI GetLogContainerName(HANDLE hLog, CLFS_CONTAINER_ID cidLogicalContainer,
                                           LPCWSTR pwstrContainerName, ULONG cLenContainerName,
                                           _Out_opt_ PULONG pcActualLenContainerName);

/* ---- information ---- */

/* As ClfsGetLogFileInformation. */
WINBASEAPI BOOL WINAPI GetLogFileInformation(HANDLE hLog, _Out_ PCLFS_INFORMATION pinfoBuffer,
                                             _Inout_ PULONG cbBuffer);
/* As ClfsGetIoStatistics. Errors: MORE_DATA (the buffer got a part [CLFS-IOST-03]). */
WINBASEAPI BOOL WINAPI GetLogIoStatistics(HANDLE hLog, _Out_ PVOID pvStatsBuffer,
                                          ULONG cbStatsBuffer, CLFS_IOSTATS_CLASS eStatsClass,
                                          _Out_opt_ PULONG pcbStatsWritten);

/* ---- marshalling areas ---- */

/* As ClfsCreateMarshallingArea; the callbacks get 'pvBlockAllocContext'. */
WINBASEAPI BOOL WINAPI CreateLogMarshallingArea(HANDLE hLog,
                                                _In_opt_ CLFS_BLOCK_ALLOCATION pfnAllocBuffer,
                                                _In_opt_ CLFS_BLOCK_DEALLOCATION pfnFreeBuffer,
                                                _In_opt_ PVOID pvBlockAllocContext,
                                                ULONG cbMarshallingBuffer, ULONG cMaxWriteBuffers,
                                                ULONG cMaxReadBuffers, _Out_ PVOID *ppvMarshal);
/* As ClfsDeleteMarshallingArea. */
WINBASEAPI BOOL WINAPI DeleteLogMarshallingArea(PVOID pvMarshal);

/* ---- writing ---- */

/* As ClfsReserveAndAppendLog[Aligned]. */
WINBASEAPI BOOL WINAPI ReserveAndAppendLog(PVOID pvMarshal,
                                           _In_opt_ PCLFS_WRITE_ENTRY rgWriteEntries,
                                           ULONG cWriteEntries, _In_opt_ PCLFS_LSN plsnUndoNext,
                                           _In_opt_ PCLFS_LSN plsnPrevious, ULONG cReserveRecords,
                                           LONGLONG rgcbReservation[], ULONG fFlags,
                                           _Out_opt_ PCLFS_LSN plsn,
                                           _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI ReserveAndAppendLogAligned(
    PVOID pvMarshal, _In_opt_ PCLFS_WRITE_ENTRY rgWriteEntries, ULONG cWriteEntries,
    ULONG cbEntryAlignment, _In_opt_ PCLFS_LSN plsnUndoNext, _In_opt_ PCLFS_LSN plsnPrevious,
    ULONG cReserveRecords, LONGLONG rgcbReservation[], ULONG fFlags, _Out_opt_ PCLFS_LSN plsn,
    _Inout_opt_ LPOVERLAPPED pOverlapped);

/* As ClfsAlignReservedLog, ClfsAllocReservedLog, ClfsFreeReservedLog. */
WINBASEAPI BOOL WINAPI AlignReservedLog(PVOID pvMarshal, ULONG cReservedRecords,
                                        LONGLONG rgcbReservation[],
                                        _Out_ PLONGLONG pcbAlignReservation);
WINBASEAPI BOOL WINAPI AllocReservedLog(PVOID pvMarshal, ULONG cReservedRecords,
                                        PLONGLONG pcbAdjustment);
WINBASEAPI BOOL WINAPI FreeReservedLog(PVOID pvMarshal, ULONG cReservedRecords,
                                       _Inout_ PLONGLONG pcbAdjustment);
/* Records reserved, bytes reserved and not used, bytes committed to records not flushed (0)
 * [CLFS-W32-12]. */
WINBASEAPI BOOL WINAPI GetLogReservationInfo(PVOID pvMarshal, _Out_ PULONG pcbRecordNumber,
                                             _Out_ PLONGLONG pcbUserReservation,
                                             _Out_ PLONGLONG pcbCommitReservation);

/* As ClfsFlushBuffers, ClfsFlushToLsn, ClfsAdvanceLogBase, ClfsWriteRestartArea. */
WINBASEAPI BOOL WINAPI FlushLogBuffers(PVOID pvMarshal, _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI FlushLogToLsn(PVOID pvMarshalContext, PCLFS_LSN plsnFlush,
                                     _Out_opt_ PCLFS_LSN plsnLastFlushed,
                                     _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI AdvanceLogBase(PVOID pvMarshal, PCLFS_LSN plsnBase, ULONG fFlags,
                                      _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI WriteLogRestartArea(PVOID pvMarshal, PVOID pvRestartBuffer,
                                           ULONG cbRestartBuffer, _In_opt_ PCLFS_LSN plsnBase,
                                           ULONG fFlags, _Out_opt_ PULONG pcbWritten,
                                           _Out_opt_ PCLFS_LSN plsnNext,
                                           _Inout_opt_ LPOVERLAPPED pOverlapped);

/* ---- reading ---- */

/* As ClfsReadRestartArea, ClfsReadPreviousRestartArea, ClfsReadLogRecord, ClfsReadNextLogRecord
 * (whose end is ERROR_HANDLE_EOF), ClfsTerminateReadLog. Errors: BUSY (a context used twice at once
 * [CLFS-W32-06]). */
WINBASEAPI BOOL WINAPI ReadLogRestartArea(PVOID pvMarshal, _Out_ PVOID *ppvRestartBuffer,
                                          _Out_ PULONG pcbRestartBuffer, _Out_ PCLFS_LSN plsn,
                                          _Out_ PVOID *ppvContext,
                                          _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI ReadPreviousLogRestartArea(PVOID pvReadContext,
                                                  _Out_ PVOID *ppvRestartBuffer,
                                                  _Out_ PULONG pcbRestartBuffer,
                                                  _Out_ PCLFS_LSN plsnRestart,
                                                  _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI ReadLogRecord(PVOID pvMarshal, PCLFS_LSN plsnFirst,
                                     CLFS_CONTEXT_MODE eContextMode, _Out_ PVOID *ppvReadBuffer,
                                     _Out_ PULONG pcbReadBuffer,
                                     _Out_opt_ PCLFS_RECORD_TYPE peRecordType,
                                     _Out_opt_ PCLFS_LSN plsnUndoNext,
                                     _Out_opt_ PCLFS_LSN plsnPrevious, _Out_ PVOID *ppvReadContext,
                                     _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI
ReadNextLogRecord(PVOID pvReadContext, _Out_ PVOID *ppvBuffer, _Out_ PULONG pcbBuffer,
                  _Inout_ PCLFS_RECORD_TYPE peRecordType, _In_opt_ PCLFS_LSN plsnUser,
                  _Out_opt_ PCLFS_LSN plsnUndoNext, _Out_opt_ PCLFS_LSN plsnPrevious,
                  _Out_opt_ PCLFS_LSN plsnRecord, _Inout_opt_ LPOVERLAPPED pOverlapped);
WINBASEAPI BOOL WINAPI TerminateReadLog(PVOID pvCursorContext);

/* Prints one record; returns what to add to the count of bytes printed. */
typedef FILE *PFILE;
typedef ULONG (*CLFS_PRINT_RECORD_ROUTINE)(PFILE pstrmOut, CLFS_RECORD_TYPE fRecordType,
                                           PVOID pvBuffer, ULONG cbBuffer);
/* Prints the records of a type (ClfsNullRecord: data) from '*plsnStart' (NULL: base) to '*plsnEnd'
 * (NULL: last), by the routine given or in a form of its own; callbacks and block sizes as for an
 * area [CLFS-W32-15, CLFS-W32-16]. Errors: INVALID_PARAMETER (start is no record), HANDLE_EOF (end
 * beyond the log). */
WINBASEAPI BOOL WINAPI DumpLogRecords(
    PWSTR pwszLogFileName, CLFS_RECORD_TYPE fRecordType, _In_opt_ PCLFS_LSN plsnStart,
    _In_opt_ PCLFS_LSN plsnEnd, PFILE pstrmOut, _In_opt_ CLFS_PRINT_RECORD_ROUTINE pfnPrintRecord,
    _In_opt_ CLFS_BLOCK_ALLOCATION pfnAllocBlock, _In_opt_ CLFS_BLOCK_DEALLOCATION pfnFreeBlock,
    _In_opt_ PVOID pvBlockAllocContext, ULONG cbBlock, ULONG cMaxBlocks);

/* Called when an overlapped operation completes. */
typedef void (*PCLFS_COMPLETION_ROUTINE)(PVOID pvOverlapped, ULONG ulReserved);

/* ---- archiving ---- */

typedef PVOID CLFS_LOG_ARCHIVE_CONTEXT, *PCLFS_LOG_ARCHIVE_CONTEXT;

/* As ClfsSetArchiveTail; deferred while the log is being archived [CLFS-ARCH-06]. */
WINBASEAPI BOOL WINAPI SetLogArchiveTail(HANDLE hLog, PCLFS_LSN plsnArchiveTail,
                                         _Reserved_ LPVOID pReserved);
/* Makes the log keep an archive tail, which starts at the base, or no longer
 * [CLFS-ARCH-11, CLFS-ARCH-12]. */
WINBASEAPI BOOL WINAPI SetLogArchiveMode(HANDLE hLog, CLFS_LOG_ARCHIVE_MODE eMode);

/* Takes a snapshot of the log for copying it: the name of the base file, where its metadata lies
 * and how long it is, base, end and archive tail. The range is '*plsnLow' (NULL: archive tail) to
 * '*plsnHigh' (NULL: end). What it covers is kept until TerminateLogArchive; one snapshot per
 * handle [CLFS-ARCH-13..18, CLFS-ARCH-22]. Errors: BUFFER_OVERFLOW (name longer than 'cLen' WCHARs,
 * *pcActualLength says how long), LOG_EPHEMERAL, LOG_ARCHIVE_IN_PROGRESS, INVALID_PARAMETER. */
WINBASEAPI BOOL WINAPI PrepareLogArchive(
    HANDLE hLog, _Out_ PWSTR pszBaseLogFileName, ULONG cLen, _In_opt_ const PCLFS_LSN plsnLow,
    _In_opt_ const PCLFS_LSN plsnHigh, _Out_opt_ PULONG pcActualLength,
    _Out_ PULONGLONG poffBaseLogFileData, _Out_ PULONGLONG pcbBaseLogFileLength,
    _Out_ PCLFS_LSN plsnBase, _Out_ PCLFS_LSN plsnLast, _Out_ PCLFS_LSN plsnCurrentArchiveTail,
    _Out_ PCLFS_LOG_ARCHIVE_CONTEXT ppvArchiveContext);
/* Bytes of the base file as they were at the snapshot; copy these, not the file [CLFS-ARCH-19]. */
WINBASEAPI BOOL WINAPI ReadLogArchiveMetadata(CLFS_LOG_ARCHIVE_CONTEXT pvArchiveContext,
                                              ULONG cbOffset, ULONG cbBytesToRead,
                                              _Out_ PBYTE pbReadBuffer, _Out_ PULONG pcbBytesRead);
/* The next pieces of containers to copy, in log order [CLFS-ARCH-20]. Errors: NO_MORE_ITEMS. */
WINBASEAPI BOOL WINAPI GetNextLogArchiveExtent(CLFS_LOG_ARCHIVE_CONTEXT pvArchiveContext,
                                               _Out_ CLFS_ARCHIVE_DESCRIPTOR rgadExtent[],
                                               ULONG cDescriptors,
                                               _Out_ PULONG pcDescriptorsReturned);
/* Ends it; archive tails set meanwhile take effect [CLFS-ARCH-21]. The files copied, at the same
 * relative paths, are a log [CLFS-ARCH-23]. */
WINBASEAPI BOOL WINAPI TerminateLogArchive(CLFS_LOG_ARCHIVE_CONTEXT pvArchiveContext);

/* ---- shortening ---- */

/* Make '*plsnEnd' the last record of a dedicated log, durably; what was behind it never comes back.
 * The first works on the handle, and areas must be made anew; the second on an area, which stays
 * usable [CLFS-TRUNC-03..14]. The OVERLAPPED is NULL. Errors: LOG_MULTIPLEXED, LOG_START_OF_LOG,
 * HANDLE_EOF or LOG_BLOCK_INVALID (no such record), LOG_INVALID_RANGE, NOT_SUPPORTED (sectors
 * larger than 512 bytes). */
WINBASEAPI BOOL WINAPI SetEndOfLog(HANDLE hLog, PCLFS_LSN plsnEnd,
                                   _Reserved_ LPOVERLAPPED lpOverlapped);
WINBASEAPI BOOL WINAPI TruncateLog(PVOID pvMarshal, PCLFS_LSN plsnEnd,
                                   _Reserved_ LPOVERLAPPED lpOverlapped);

EXTERN_C_END
