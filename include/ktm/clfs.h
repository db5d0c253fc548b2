/* SPDX-License-Identifier: MIT */
/*
 * The Common Log File System: logs that several parts of a program, or several streams, can share.
 *
 * A *log* is a base file '<path>.blf', which knows what there is, and *containers*, files of one
 * size in which *records* live. A *dedicated* log ("log:<path>") has one stream of records, a
 * *multiplexed* one ("log:<path>::<stream>") any number. Each record has an *LSN*, its address, and
 * LSNs of one stream grow as they are given out; those of different streams must not be compared
 * [CLFS-MODEL-07].
 *
 * To write: ClfsCreateLogFile, ClfsAddLogContainer (twice, for a new log),
 * ClfsCreateMarshallingArea, ClfsReserveAndAppendLog; a flush or CLFS_FLAG_FORCE_FLUSH makes
 * records durable. ClfsWriteRestartArea is a checkpoint: it says from which record on the log is
 * still needed. To read: ClfsReadRestartArea or ClfsReadLogRecord, then ClfsReadNextLogRecord.
 * Release in the reverse order [CLFS-CONC-07].
 *
 * Rules for every routine, not repeated below:
 *  - Any thread may call at any time; a read context belongs to one thread at a time [CLFS-CONC-01,
 *    CLFS-CONC-02]. All but the LSN functions may block on the disk [CLFS-CONC-12].
 *  - The first failing check of this order decides the status: arguments, kind of object, access,
 *    state of the log, ranges, space, I/O [CLFS-STAT-06]. A failing call leaves the log as it was
 *    and sets pointers it should have returned to NULL.
 *  - "Answers" lists, without their STATUS_, what a caller can do something about. Besides come
 *    STATUS_INVALID_HANDLE (not an object of the kind needed), STATUS_INSUFFICIENT_RESOURCES
 *    (memory, descriptors [CLFS-STAT-05]), STATUS_IO_DEVICE_ERROR, and those of a container that
 *    cannot be read, written or opened: STATUS_LOG_CONTAINER_READ_FAILED, _WRITE_FAILED,
 *    _OPEN_FAILED [CLFS-DUR-16].
 *  - After a failed write or force a log is failed: STATUS_LOG_STATE_INVALID from every append and
 *    flush until it is opened again [CLFS-DUR-13].
 *  - Parameters are inputs unless marked _Out_ or _Inout_; what may be NULL is marked _opt_.
 *    Buffers given are borrowed for the call; memory returned stays the library's.
 *
 * The Win32 names of all this are in clfsw32.h and clfsmgmtw32.h, log management in clfsmgmt.h.
 */
#pragma once

#include "clfstypes.h"

EXTERN_C_START

/* ---- log sequence numbers ---- */

/* Composes an LSN: logical container id, byte offset of the block (a multiple of 512), record in
 * the block (0..511). CLFS_LSN_INVALID when an argument is out of range or the container id is
 * 0xFFFFFFFF [CLFS-LSN-11..16]. */
NTKERNELAPI CLFS_LSN NTAPI ClfsLsnCreate(CLFS_CONTAINER_ID cidContainer, ULONG offBlock,
                                         ULONG cRecord);
/* The logical container id, the byte offset of the block in it, the record in the block
 * [CLFS-LSN-14, CLFS-LSN-15]. */
NTKERNELAPI CLFS_CONTAINER_ID NTAPI ClfsLsnContainer(const CLFS_LSN *plsn);
NTKERNELAPI ULONG NTAPI ClfsLsnBlockOffset(const CLFS_LSN *plsn);
NTKERNELAPI ULONG NTAPI ClfsLsnRecordSequence(const CLFS_LSN *plsn);
/* Compare two LSNs of one stream as unsigned numbers; NULL and INVALID are allowed [CLFS-LSN-05,
 * CLFS-LSN-17, CLFS-LSN-18]. */
NTKERNELAPI BOOLEAN NTAPI ClfsLsnEqual(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2);
NTKERNELAPI BOOLEAN NTAPI ClfsLsnLess(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2);
NTKERNELAPI BOOLEAN NTAPI ClfsLsnGreater(const CLFS_LSN *plsn1, const CLFS_LSN *plsn2);
/* TRUE for CLFS_LSN_NULL; TRUE for CLFS_LSN_INVALID [CLFS-LSN-19]. */
NTKERNELAPI BOOLEAN NTAPI ClfsLsnNull(const CLFS_LSN *plsn);
NTKERNELAPI BOOLEAN NTAPI ClfsLsnInvalid(const CLFS_LSN *plsn);
/* The next LSN in the order, not necessarily that of a record; CLFS_LSN_INVALID when there is none.
 * The argument is not changed [CLFS-LSN-20, CLFS-LSN-21]. */
NTKERNELAPI CLFS_LSN NTAPI ClfsLsnIncrement(PCLFS_LSN plsn);
/* The same, and its inverse; the earlier of CLFS_LSN_NULL is CLFS_LSN_NULL [CLFS-LSN-22]. */
NTKERNELAPI CLFS_LSN NTAPI ClfsLaterLsn(PCLFS_LSN plsn);
NTKERNELAPI CLFS_LSN NTAPI ClfsEarlierLsn(PCLFS_LSN plsn);
/* About how many bytes of log lie between two LSNs, for a log with containers of 'cbContainer'
 * bytes and blocks of at most 'cbMaxBlock' [CLFS-LSN-23, CLFS-LSN-24]. Answers: INVALID_PARAMETER
 * (a NULL, a container size of 0, an invalid LSN, start behind finish; *pcbDifference is then
 * untouched) [CLFS-LSN-25]. None of the LSN functions blocks or takes a lock [CLFS-LSN-26]. */
NTKERNELAPI NTSTATUS NTAPI ClfsLsnDifference(PCLFS_LSN plsnStart, PCLFS_LSN plsnFinish,
                                             ULONG cbContainer, ULONG cbMaxBlock,
                                             _Out_ PLONGLONG pcbDifference);

/* ---- opening and closing ---- */

typedef struct _IRP *PIRP;

/* Set up and release what the library shares; counted, and no other routine needs them
 * [CLFS-INIT-01..03]. Answers: SUCCESS, INSUFFICIENT_RESOURCES. */
NTKERNELAPI NTSTATUS NTAPI ClfsInitialize(void);
NTKERNELAPI void NTAPI ClfsFinalize(void);
/* Always FALSE: there are no request packets in user space [CLFS-INIT-04]. */
NTKERNELAPI BOOLEAN NTAPI ClfsValidTopLevelContext(PIRP pirpTopLevelContext);

/* Opens or creates a stream, and the physical log when there is none and the disposition allows it
 * [CLFS-CREATE-01..37].
 *
 * 'puszLogFileName': "log:<path>" the stream of a dedicated log, "log:<path>::<stream>" one of a
 * multiplexed log, "log:<path>::" the physical multiplexed log itself [CLFS-NAME-01..22].
 * 'fDesiredAccess': 0 (queries only) or GENERIC_READ, GENERIC_WRITE, DELETE. 'dwShareMode':
 * FILE_SHARE_ bits, what later opens may do. 'psdLogFile': for what is created; NULL: mode 0600.
 * 'fCreateDisposition': CREATE_NEW, OPEN_EXISTING, OPEN_ALWAYS; it is about the stream.
 * 'fFlagsAndAttributes': FILE_ATTRIBUTE_NORMAL, _READONLY (open for reading), _ARCHIVE (create with
 * an archive tail). 'fLogOptionFlag': CLFS_FLAG_NO_FLAGS or one option; 'pvContext', 'cbContext' as
 * it needs them.
 *
 * A new log has no containers and cannot be written before it has two [CLFS-CREATE-10]. A log that
 * was not closed is recovered first [CLFS-CREATE-33]. One process at a time has a physical log open
 * for writing [CLFS-CONC-13]. Every call returns another LFO; the caller closes it.
 *
 * Answers: INVALID_PARAMETER, OBJECT_NAME_INVALID (malformed, no "log:"), OBJECT_PATH_SYNTAX_BAD,
 * NOT_SUPPORTED (form of name), OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND,
 * OBJECT_NAME_COLLISION, ACCESS_DENIED, SHARING_VIOLATION, DELETE_PENDING, LOG_DEDICATED,
 * LOG_MULTIPLEXED (the name is of the other kind), LOG_BLOCK_VERSION, LOG_BLOCK_INVALID,
 * LOG_METADATA_CORRUPT, _INVALID, _INCONSISTENT, LOG_CONTAINER_OPEN_FAILED,
 * LOG_CONTAINER_STATE_INVALID, DISK_FULL. */
NTKERNELAPI NTSTATUS NTAPI ClfsCreateLogFile(_Out_ PPLOG_FILE_OBJECT pplfoLog,
                                             PUNICODE_STRING puszLogFileName,
                                             ACCESS_MASK fDesiredAccess, ULONG dwShareMode,
                                             _In_opt_ PSECURITY_DESCRIPTOR psdLogFile,
                                             ULONG fCreateDisposition, ULONG fCreateOptions,
                                             ULONG fFlagsAndAttributes, ULONG fLogOptionFlag,
                                             _In_opt_ PVOID pvContext, ULONG cbContext);

/* Lets go of the LFO; it is gone also when the status is not success, which then is that of the
 * final flush. The last close of a stream flushes it and marks the log clean; areas that still
 * exist keep the stream open. No callback runs after it has returned [CLFS-CLOSE-01..07,
 * CLFS-CONC-09]. Answers: INVALID_PARAMETER (NULL). */
NTKERNELAPI NTSTATUS NTAPI ClfsCloseLogFileObject(PLOG_FILE_OBJECT plfoLog);

/* The same, and when the last LFO of the stream is closed the stream becomes as if never written,
 * but LSNs go on growing. If the process dies before, nothing is lost [CLFS-RESET-01..10]. Answers:
 * INVALID_PARAMETER (NULL); INVALID_HANDLE (a physical LFO) and ACCESS_DENIED (no GENERIC_WRITE)
 * leave the LFO open. */
NTKERNELAPI NTSTATUS NTAPI ClfsCloseAndResetLogFile(PLOG_FILE_OBJECT plfoLog);

/* Mark a stream for deletion, by an LFO opened with DELETE or by name; it goes when its last LFO is
 * closed, and can no longer be opened. Deleting the stream of a dedicated log, or a multiplexed log
 * without streams, removes the files [CLFS-DELETE-01..14]. 'pvReserved' is NULL; the last three
 * arguments are as in ClfsCreateLogFile. Answers: INVALID_PARAMETER, ACCESS_DENIED,
 * OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND, SHARING_VIOLATION, OBJECT_NAME_INVALID,
 * OBJECT_PATH_SYNTAX_BAD, NOT_SUPPORTED, LOG_CANT_DELETE (streams remain). */
NTKERNELAPI NTSTATUS NTAPI ClfsDeleteLogByPointer(PLOG_FILE_OBJECT plfoLog);
NTKERNELAPI NTSTATUS NTAPI ClfsDeleteLogFile(PUNICODE_STRING puszLogFileName,
                                             _Reserved_ PVOID pvReserved, ULONG fLogOptionFlag,
                                             _In_opt_ PVOID pvContext, ULONG cbContext);

/* ---- containers ---- */

/* Add containers: files created, allocated and zeroed, so that appends cannot meet a full disk
 * later; all or none, durable on return [CLFS-CONT-01..19].
 *
 * '*pcbContainer': bytes of each, rounded up to 512 KiB (dedicated) or 1 MiB (multiplexed); the
 * size used is written back. After the first container NULL means the size the log has, and a
 * smaller size is refused. Paths: absolute, or below the directory of the base file with the prefix
 * "%BLF%\" or none; "." and ".." are refused [CLFS-NAME-17..19]. Needs GENERIC_WRITE. Answers:
 * INVALID_PARAMETER, ACCESS_DENIED, OBJECT_NAME_INVALID, OBJECT_PATH_SYNTAX_BAD,
 * OBJECT_PATH_NOT_FOUND, OBJECT_NAME_COLLISION (a file is there), DUPLICATE_NAME (twice in one
 * call), DISK_FULL, LOG_CONTAINER_LIMIT_EXCEEDED (1023), LOG_METADATA_FLUSH_FAILED, NOT_SUPPORTED
 * ("%BLF%:"). */
NTKERNELAPI NTSTATUS NTAPI ClfsAddLogContainer(PLOG_FILE_OBJECT plfoLog,
                                               _Inout_opt_ PULONGLONG pcbContainer,
                                               PUNICODE_STRING puszContainerPath);
NTKERNELAPI NTSTATUS NTAPI ClfsAddLogContainerSet(PLOG_FILE_OBJECT plfoLog, USHORT cContainers,
                                                  _Inout_opt_ PULONGLONG pcbContainer,
                                                  PUNICODE_STRING rguszContainerPath);

/* Remove containers, all or none. One that is not active goes at once. An active one is refused
 * when 'fForce' is TRUE, otherwise marked, and goes when it has left the active log
 * [CLFS-CONT-20..30]. Needs GENERIC_WRITE. Answers: INVALID_PARAMETER, ACCESS_DENIED, NOT_FOUND
 * (not of this log), LOG_CANT_DELETE (forced and active), OBJECT_PATH_SYNTAX_BAD,
 * LOG_NOT_ENOUGH_CONTAINERS (an area needs two), LOG_PINNED_RESERVATION (reservations would no
 * longer fit), LOG_METADATA_FLUSH_FAILED. */
NTKERNELAPI NTSTATUS NTAPI ClfsRemoveLogContainer(PLOG_FILE_OBJECT plfoLog,
                                                  PUNICODE_STRING puszContainerPath,
                                                  BOOLEAN fForce);
NTKERNELAPI NTSTATUS NTAPI ClfsRemoveLogContainerSet(PLOG_FILE_OBJECT plfoLog, USHORT cContainers,
                                                     PUNICODE_STRING rgwszContainerPath,
                                                     BOOLEAN fForce);

/* Starts a scan at container 'cFromContainer' (from 0), 'cContainers' per step, over a snapshot of
 * the list; any LFO will do. End it with CLFS_SCAN_CLOSE [CLFS-SCAN-01..05, CLFS-SCAN-12..15].
 * Answers: INVALID_PARAMETER. */
NTKERNELAPI NTSTATUS NTAPI ClfsCreateScanContext(PLOG_FILE_OBJECT plfoLog, ULONG cFromContainer,
                                                 ULONG cContainers, CLFS_SCAN_MODE eScanMode,
                                                 _Inout_ PCLFS_SCAN_CONTEXT pcxScan);
/* The next step in the direction given, or the end with CLFS_SCAN_CLOSE, which frees the array and
 * always succeeds. Fewer containers than wanted mean the end [CLFS-SCAN-06..11]. Answers:
 * NO_MORE_ENTRIES, INVALID_PARAMETER. */
NTKERNELAPI NTSTATUS NTAPI ClfsScanLogContainers(_Inout_ PCLFS_SCAN_CONTEXT pcxScan,
                                                 CLFS_SCAN_MODE eScanMode);
/* The full path of the container with that logical id, into the buffer of 'puszContainerName'
 * (MaximumLength in bytes, Length is set); '*pcActualLenContainerName' is its length in WCHARs
 * [CLFS-SCAN-18..22]. Answers: BUFFER_OVERFLOW (truncated), NOT_FOUND, INVALID_PARAMETER. */
NTKERNELAPI NTSTATUS NTAPI ClfsGetContainerName(PLOG_FILE_OBJECT plfoLog,
                                                CLFS_CONTAINER_ID cidLogicalContainer,
                                                _Inout_ PUNICODE_STRING puszContainerName,
                                                _Out_opt_ PULONG pcActualLenContainerName);

/* ---- information ---- */

/* Tells about the log; works on any LFO. '*pcbInfoBuffer': bytes of the buffer, then bytes written
 * or needed. The input buffer matters to ClfsLogPhysicalLsnInformation only [CLFS-INFO-01..22].
 * Answers: INVALID_PARAMETER, INVALID_INFO_CLASS, BUFFER_TOO_SMALL (nothing written),
 * BUFFER_OVERFLOW (a name truncated), NOT_FOUND (no such stream). */
NTKERNELAPI NTSTATUS NTAPI ClfsQueryLogFileInformation(PLOG_FILE_OBJECT plfoLog,
                                                       CLFS_LOG_INFORMATION_CLASS eInformationClass,
                                                       _In_opt_ PVOID pinfoInputBuffer,
                                                       ULONG cbinfoInputBuffer,
                                                       _Out_ PVOID pinfoBuffer,
                                                       _Inout_ PULONG pcbInfoBuffer);
/* ClfsLogBasicInformation of the above [CLFS-INFO-14]. */
NTKERNELAPI NTSTATUS NTAPI ClfsGetLogFileInformation(PLOG_FILE_OBJECT plfoLog,
                                                     _Out_ PCLFS_INFORMATION pinfoBuffer,
                                                     _Inout_ PULONG pcbInfoBuffer);
/* Sets the archive bit of Attributes in one of the two basic classes; everything else in the buffer
 * is ignored. Needs GENERIC_WRITE [CLFS-INFO-23, CLFS-INFO-24]. Answers: INVALID_PARAMETER,
 * INFO_LENGTH_MISMATCH, NOT_SUPPORTED (other classes), ACCESS_DENIED. */
NTKERNELAPI NTSTATUS NTAPI ClfsSetLogFileInformation(PLOG_FILE_OBJECT plfoLog,
                                                     CLFS_LOG_INFORMATION_CLASS eInformationClass,
                                                     PVOID pinfoBuffer, ULONG cbBuffer);
/* CLFS_INFORMATION.LastLsn of the stream [CLFS-INFO-25]. Answers: INVALID_PARAMETER. */
NTKERNELAPI NTSTATUS NTAPI ClfsGetLastLsn(PLOG_FILE_OBJECT plfoLog, _Out_ PCLFS_LSN plsnLast);
/* Counters of the physical log, or as much of CLFS_IO_STATISTICS as fits; '*pcbStatsWritten' says
 * how much. 'eStatsClass' is ignored [CLFS-IOST-01..05]. Answers: INVALID_PARAMETER (shorter than
 * the header). */
NTKERNELAPI NTSTATUS NTAPI ClfsGetIoStatistics(PLOG_FILE_OBJECT plfoLog, _Out_ PVOID pvStatsBuffer,
                                               ULONG cbStatsBuffer, CLFS_IOSTATS_CLASS eStatsClass,
                                               _Out_opt_ PULONG pcbStatsWritten);

/* ---- marshalling areas ---- */

typedef enum _POOL_TYPE { NonPagedPool = 0, PagedPool = 1 } POOL_TYPE;

/* Give and take back the memory of a block. They may run during any append, read or restart call,
 * on any thread, with no lock held; NULL makes that call fail with INSUFFICIENT_RESOURCES
 * [CLFS-AREA-05..07]. */
typedef PVOID (*PALLOCATE_FUNCTION)(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef VOID (*PFREE_FUNCTION)(PVOID Buffer);

/* An area is where records of a stream gather into blocks before they are written, and where blocks
 * are read into [CLFS-AREA-01..25].
 *
 * 'ePoolType' is passed to the callbacks, which are both given or both NULL (then the library
 * allocates). 'cbMarshallingBuffer': bytes of a block, rounded up to the sector size; no record
 * longer than a block can be written, no longer block can be read. 'cMaxWriteBuffers': blocks that
 * may wait to be written before an append waits. 'cMaxReadBuffers': blocks for reading, one per
 * read context at least. INFINITE is no limit. 'cAlignmentSize': alignment of blocks, a power of
 * two, 0 for the sector size. 'fFlags': CLFS_MARSHALLING_FLAG_ bits.
 *
 * Needs GENERIC_READ or GENERIC_WRITE, and a log with two containers. The caller deletes the area.
 * Answers: INVALID_PARAMETER, ACCESS_DENIED, LOG_NOT_ENOUGH_CONTAINERS, LOG_MULTIPLEXED (a physical
 * LFO), LOG_STATE_INVALID. */
NTKERNELAPI NTSTATUS NTAPI ClfsCreateMarshallingArea(PLOG_FILE_OBJECT plfoLog, POOL_TYPE ePoolType,
                                                     _In_opt_ PALLOCATE_FUNCTION pfnAllocBuffer,
                                                     _In_opt_ PFREE_FUNCTION pfnFreeBuffer,
                                                     ULONG cbMarshallingBuffer,
                                                     ULONG cMaxWriteBuffers, ULONG cMaxReadBuffers,
                                                     _Out_ PVOID *ppvMarshalContext);
NTKERNELAPI NTSTATUS NTAPI ClfsCreateMarshallingAreaEx(
    PLOG_FILE_OBJECT plfoLog, POOL_TYPE ePoolType, _In_opt_ PALLOCATE_FUNCTION pfnAllocBuffer,
    _In_opt_ PFREE_FUNCTION pfnFreeBuffer, ULONG cbMarshallingBuffer, ULONG cMaxWriteBuffers,
    ULONG cMaxReadBuffers, ULONG cAlignmentSize, ULONGLONG fFlags, _Out_ PVOID *ppvMarshalContext);

/* Flushes the area and deletes it, also when the flush fails and its status is returned.
 * Reservations left are released; read contexts of the area must still be terminated
 * [CLFS-AREA-20..24]. */
NTKERNELAPI NTSTATUS NTAPI ClfsDeleteMarshallingArea(PVOID pvMarshalContext);

/* ---- writing ---- */

/* Appends one record, reserves space for later ones, or both at once [CLFS-APPEND-01..40].
 *
 * The record is the concatenation of the entries; in the aligned form each entry starts at a
 * multiple of 'cbEntryAlignment' (> 0), with zeros between. 'plsnUndoNext', 'plsnPrevious': links
 * stored with the record, NULL for none. 'rgcbReservation': 'cReserveRecords' data sizes to reserve
 * space for, replaced by what was reserved; a negative one releases such a reservation. 'fFlags':
 * FORCE_APPEND, FORCE_FLUSH, USE_RESERVATION (then nothing may be reserved). With no entries
 * nothing is appended.
 *
 * '*plsn' is exact and final, greater than every LSN before, and the record can be read through
 * this area at once. The caller's buffers are free on return. Needs GENERIC_WRITE.
 *
 * Answers: INVALID_PARAMETER (rules above, record longer than a block), ACCESS_DENIED, LOG_FULL
 * (the log is as before), LOG_RECORDS_RESERVED_INVALID, LOG_SPACE_RESERVED_INVALID (nothing
 * reserved covers the record), LOG_RESERVATION_INVALID (release not covered),
 * LOG_APPENDED_FLUSH_FAILED (appended, *plsn valid, durability unknown [CLFS-DUR-14]),
 * LOG_STATE_INVALID. */
NTKERNELAPI NTSTATUS NTAPI ClfsReserveAndAppendLog(
    PVOID pvMarshalContext, _In_opt_ PCLFS_WRITE_ENTRY rgWriteEntries, ULONG cWriteEntries,
    _In_opt_ PCLFS_LSN plsnUndoNext, _In_opt_ PCLFS_LSN plsnPrevious, ULONG cReserveRecords,
    _Inout_opt_ PLONGLONG rgcbReservation, ULONG fFlags, _Out_opt_ PCLFS_LSN plsn);
NTKERNELAPI NTSTATUS NTAPI ClfsReserveAndAppendLogAligned(
    PVOID pvMarshalContext, _In_opt_ PCLFS_WRITE_ENTRY rgWriteEntries, ULONG cWriteEntries,
    ULONG cbEntryAlignment, _In_opt_ PCLFS_LSN plsnUndoNext, _In_opt_ PCLFS_LSN plsnPrevious,
    ULONG cReserveRecords, _Inout_opt_ PLONGLONG rgcbReservation, ULONG fFlags,
    _Out_opt_ PCLFS_LSN plsn);

/* How many bytes of log records of these data sizes need, headers and alignment included; reserves
 * nothing [CLFS-RESV-15..17]. Answers: INVALID_PARAMETER (a size that is not > 0),
 * LOG_RESERVATION_INVALID (cannot fit). */
NTKERNELAPI NTSTATUS NTAPI ClfsAlignReservedLog(PVOID pvMarshalContext, ULONG cRecords,
                                                LONGLONG rgcbReservation[],
                                                _Out_ PLONGLONG pcbAlignReservation);
/* Reserves 'cRecords' records of '*pcbAdjustment' bytes in all, as ClfsAlignReservedLog gave them;
 * a reservation belongs to its area and ends with it [CLFS-RESV-18..21, CLFS-RESV-30]. Answers:
 * INVALID_PARAMETER, ACCESS_DENIED, LOG_FULL. */
NTKERNELAPI NTSTATUS NTAPI ClfsAllocReservedLog(PVOID pvMarshalContext, ULONG cRecords,
                                                PLONGLONG pcbAdjustment);
/* Frees reservations. '*pcbAdjustment' < 0: that many bytes and 'cRecords' records; > 0: what is to
 * remain; 0 with no records: everything. Receives the bytes freed [CLFS-RESV-22..29]. Answers:
 * INVALID_PARAMETER, ACCESS_DENIED, LOG_RESERVATION_INVALID, LOG_RECORDS_RESERVED_INVALID,
 * LOG_SPACE_RESERVED_INVALID; nothing has changed then. */
NTKERNELAPI NTSTATUS NTAPI ClfsFreeReservedLog(PVOID pvMarshalContext, ULONG cRecords,
                                               _Inout_ PLONGLONG pcbAdjustment);

/* Make all records of the area durable, or those up to and including '*plsnFlush' (CLFS_LSN_NULL:
 * all). '*plsnLastFlushed' receives the bound below which all is durable. Flushes of several
 * threads merge [CLFS-FLUSH-01..16]. Need GENERIC_WRITE. Answers: INVALID_PARAMETER (NULL, or an
 * LSN above LastLsn), ACCESS_DENIED, LOG_STATE_INVALID. */
NTKERNELAPI NTSTATUS NTAPI ClfsFlushBuffers(PVOID pvMarshalContext);
NTKERNELAPI NTSTATUS NTAPI ClfsFlushToLsn(PVOID pvMarshalContext, PCLFS_LSN plsnFlush,
                                          _Out_opt_ PCLFS_LSN plsnLastFlushed);

/* Records below '*plsnBase' are no longer needed; LastLsn empties the log. Not promised durable
 * before the next restart area or close; a crash may bring back an older base, never a newer one
 * [CLFS-DUR-11, CLFS-BASE-10..26]. 'fFlags' is 0. Needs GENERIC_WRITE. Answers: INVALID_PARAMETER,
 * ACCESS_DENIED, LOG_TAIL_INVALID (not between base and last LSN), LOG_STATE_INVALID. */
NTKERNELAPI NTSTATUS NTAPI ClfsAdvanceLogBase(PVOID pvMarshalContext, PCLFS_LSN plsnBase,
                                              ULONG fFlags);

/* A checkpoint: appends a restart record with this data, makes it and all records of the area
 * durable and, when 'plsnBase' is given, moves the base, all as one: after a crash either all of it
 * holds or none [CLFS-DUR-10, CLFS-RESTART-01..18].
 *
 * 'fFlags': 0 or CLFS_FLAG_USE_RESERVATION, without which a full log refuses it. '*pcbWritten'
 * receives the bytes forced, '*plsnNext' the LSN of the record. Needs GENERIC_WRITE. Answers:
 * INVALID_PARAMETER, ACCESS_DENIED, LOG_TAIL_INVALID (nothing was written), LOG_FULL,
 * LOG_RECORDS_RESERVED_INVALID, LOG_SPACE_RESERVED_INVALID, LOG_STATE_INVALID,
 * LOG_METADATA_FLUSH_FAILED. */
NTKERNELAPI NTSTATUS NTAPI ClfsWriteRestartArea(PVOID pvMarshalContext, PVOID pvRestartBuffer,
                                                ULONG cbRestartBuffer, _In_opt_ PCLFS_LSN plsnBase,
                                                ULONG fFlags, _Out_opt_ PULONG pcbWritten,
                                                _Out_opt_ PCLFS_LSN plsnNext);

/* ---- reading ---- */

/* The newest restart record: its data, length and LSN, and a read context to go on from it:
 * forward, or back through restart records [CLFS-RESTART-19..26]. The data is valid until the next
 * call with the context. Needs GENERIC_READ. Answers: LOG_NO_RESTART (informational: compare with
 * SUCCESS, there is no context then [CLFS-STAT-02]), INVALID_PARAMETER, ACCESS_DENIED,
 * LOG_BLOCK_INCOMPLETE (block larger than the area's), LOG_BLOCK_INVALID, LOG_BLOCKS_EXHAUSTED. */
NTKERNELAPI NTSTATUS NTAPI ClfsReadRestartArea(PVOID pvMarshalContext,
                                               _Out_ PVOID *ppvRestartBuffer,
                                               _Out_ PULONG pcbRestartBuffer, _Out_ PCLFS_LSN plsn,
                                               _Out_ PVOID *ppvReadContext);
/* The restart record before the one the context stands on [CLFS-RESTART-27..34]. Answers:
 * LOG_START_OF_LOG (no more; the context stays), LOG_READ_CONTEXT_INVALID (not from
 * ClfsReadRestartArea), LOG_RESTART_INVALID, LOG_BLOCK_INCOMPLETE, INVALID_PARAMETER. */
NTKERNELAPI NTSTATUS NTAPI ClfsReadPreviousRestartArea(PVOID pvReadContext,
                                                       _Out_ PVOID *ppvRestartBuffer,
                                                       _Out_ PULONG pcbRestartBuffer,
                                                       _Out_ PCLFS_LSN plsnRestart);

/* Reads the record at '*plsnFirst' and opens a read context in that mode. The data pointer is
 * 8-byte aligned, read-only and valid until the next call with the context [CLFS-READ-01..23].
 * Needs GENERIC_READ. Answers: INVALID_PARAMETER, ACCESS_DENIED, LOG_READ_MODE_INVALID, END_OF_FILE
 * (at or above LastLsn), LOG_START_OF_LOG (below what is kept), NOT_FOUND (no record there),
 * LOG_BLOCK_INVALID, LOG_BLOCK_INCOMPLETE, LOG_BLOCKS_EXHAUSTED. */
NTKERNELAPI NTSTATUS NTAPI ClfsReadLogRecord(PVOID pvMarshalContext, PCLFS_LSN plsnFirst,
                                             CLFS_CONTEXT_MODE peContextMode,
                                             _Out_ PVOID *ppvReadBuffer, _Out_ PULONG pcbReadBuffer,
                                             _Out_opt_ PCLFS_RECORD_TYPE peRecordType,
                                             _Out_opt_ PCLFS_LSN plsnUndoNext,
                                             _Out_opt_ PCLFS_LSN plsnPrevious,
                                             _Out_ PVOID *ppvReadContext);

/* Goes on to the next record of the mode, or to '*plsnUser' when given. '*peRecordType' is the
 * filter (ClfsDataRecord, ClfsRestartRecord, ClfsClientRecord) and receives the type
 * [CLFS-READ-24..41, CLFS-READ-44]. Answers: END_OF_FILE (last record, or the chain ends) and
 * LOG_START_OF_LOG (the chain leaves what is kept), after which the context stands where it stood;
 * INVALID_PARAMETER, NOT_FOUND, LOG_READ_CONTEXT_INVALID, LOG_BLOCK_INVALID, LOG_BLOCK_INCOMPLETE,
 * DEVICE_BUSY (used by two threads at once [CLFS-CONC-03]). */
NTKERNELAPI NTSTATUS NTAPI ClfsReadNextLogRecord(PVOID pvReadContext, _Out_ PVOID *ppvBuffer,
                                                 _Out_ PULONG pcbBuffer,
                                                 _Inout_ PCLFS_RECORD_TYPE peRecordType,
                                                 _In_opt_ PCLFS_LSN plsnUser,
                                                 _Out_opt_ PCLFS_LSN plsnUndoNext,
                                                 _Out_opt_ PCLFS_LSN plsnPrevious,
                                                 _Out_opt_ PCLFS_LSN plsnRecord);

/* Ends a read context and frees its blocks; every context must be ended so [CLFS-READ-42,
 * CLFS-READ-43]. Answers: INVALID_PARAMETER (NULL). */
NTKERNELAPI NTSTATUS NTAPI ClfsTerminateReadLog(PVOID pvCursorContext);

/* ---- archive tail, end of log ---- */

/* Records from '*plsnArchiveTail' on are still to be archived and are kept, whatever the base is.
 * Durable on return [CLFS-ARCH-01..10]. Needs GENERIC_WRITE. Answers: INVALID_PARAMETER,
 * ACCESS_DENIED, LOG_EPHEMERAL (the log has no archive tail), LOG_TAIL_INVALID. */
NTKERNELAPI NTSTATUS NTAPI ClfsSetArchiveTail(PLOG_FILE_OBJECT plfoLog, PCLFS_LSN plsnArchiveTail);
/* Reserved. Answers: NOT_SUPPORTED, always [CLFS-TRUNC-01, CLFS-TRUNC-02]. */
NTKERNELAPI NTSTATUS NTAPI ClfsSetEndOfLog(PLOG_FILE_OBJECT plfoLog, PCLFS_LSN plsnEnd);

EXTERN_C_END
