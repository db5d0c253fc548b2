/* SPDX-License-Identifier: MIT */
/*
 * What the routines of the log take and give: LSNs, record types, information, constants. Shared by
 * clfs.h (Clfs names), clfsw32.h (Win32 names) and clfsmgmt.h (management).
 *
 * Every CLFS_x has an older name CLS_x of the same layout [CLFS-TYPE-04]. Sizes and offsets are
 * those of docs/spec/clfs.md section 3, proved at the end of this file; some user-mode headers in
 * circulation have others [CLFS-TYPE-06].
 */
#pragma once

#include "ktmbase.h"

EXTERN_C_START

/* ---- constants ---- */

#define CLFS_BASELOG_EXTENSION       KTM_WIDE(".blf")
#define CLFS_CONTAINER_STREAM_PREFIX KTM_WIDE("%BLF%:") /* not supported here [CLFS-NAME-20] */
#define CLFS_CONTAINER_RELATIVE_PREFIX                                                             \
    KTM_WIDE("%BLF%\\") /* beside the base file [CLFS-NAME-17]                                     \
                         */

/* Append and restart flags. */
#define CLFS_FLAG_NO_FLAGS     0x00000000
#define CLFS_FLAG_FORCE_APPEND 0x00000001 /* queue for writing; promises no durability */
#define CLFS_FLAG_FORCE_FLUSH  0x00000002 /* durable on success, with all records before it */
#define CLFS_FLAG_USE_RESERVATION                                                                  \
    0x00000004 /* into space reserved before; cannot meet LOG_FULL                                 \
                */

/* Options of ClfsCreateLogFile and ClfsDeleteLogFile. */
#define CLFS_FLAG_REENTRANT_FILE_SYSTEM     0x00000008
#define CLFS_FLAG_NON_REENTRANT_FILTER      0x00000010
#define CLFS_FLAG_REENTRANT_FILTER          0x00000020
#define CLFS_FLAG_IGNORE_SHARE_ACCESS       0x00000040 /* skips the share check */
#define CLFS_FLAG_READ_IN_PROGRESS          0x00000080 /* internal */
#define CLFS_FLAG_MINIFILTER_LEVEL          0x00000100
#define CLFS_FLAG_HIDDEN_SYSTEM_LOG         0x00000200
#define CLFS_FLAG_FILTER_INTERMEDIATE_LEVEL CLFS_FLAG_NON_REENTRANT_FILTER
#define CLFS_FLAG_FILTER_TOP_LEVEL          CLFS_FLAG_REENTRANT_FILTER

#define CLFS_MARSHALLING_FLAG_NONE              0x00000000
#define CLFS_MARSHALLING_FLAG_DISABLE_BUFF_INIT 0x00000001 /* blocks need not be zeroed first */

/* What CLFS_INFORMATION.Attributes says of a dedicated log. */
#define FILE_ATTRIBUTE_DEDICATED FILE_ATTRIBUTE_TEMPORARY

/* Names of extended attributes on Windows; not used here. */
#define EA_CONTAINER_NAME "ContainerName"
#define EA_CONTAINER_SIZE "ContainerSize"

/* ---- log sequence numbers ---- */

/* Container (bits 63..32), offset of the block in it / 512 (31..9), record in the block (8..0)
 * [CLFS-LSN-01]. Look inside with the functions below only [CLFS-LSN-08]. */
typedef struct _CLS_LSN {
    ULONGLONG Internal;
} CLS_LSN, *PCLS_LSN, **PPCLS_LSN;
typedef CLS_LSN CLFS_LSN, *PCLFS_LSN, **PPCLFS_LSN;

typedef ULONG CLS_CONTAINER_ID, *PCLS_CONTAINER_ID, **PPCLS_CONTAINER_ID;
typedef CLS_CONTAINER_ID CLFS_CONTAINER_ID, *PCLFS_CONTAINER_ID, **PPCLFS_CONTAINER_ID;

/* The smallest LSN, 0, and the bound above all LSNs, 0xFFFFFFFF00000000, which stands for "none"
 * [CLFS-LSN-03, CLFS-LSN-27]. */
KTM_API extern const CLFS_LSN CLFS_LSN_NULL;
KTM_API extern const CLFS_LSN CLFS_LSN_INVALID;

/* ---- records and modes ---- */

typedef UCHAR CLS_RECORD_TYPE, *PCLS_RECORD_TYPE, **PPCLS_RECORD_TYPE;
typedef CLS_RECORD_TYPE CLFS_RECORD_TYPE, *PCLFS_RECORD_TYPE, **PPCLFS_RECORD_TYPE;

#define ClfsNullRecord    0x00
#define ClfsDataRecord    0x01
#define ClfsRestartRecord 0x02
#define ClfsClientRecord  0x03 /* as a filter: data or restart [CLFS-TYPE-01] */

/* Which record ClfsReadNextLogRecord goes to. None is no mode to ask for [CLFS-TYPE-08]. */
typedef enum _CLS_CONTEXT_MODE {
    ClfsContextNone = 0,
    ClfsContextUndoNext = 1, /* the one the current record names as undo-next */
    ClfsContextPrevious = 2, /* the one the current record names as previous */
    ClfsContextForward = 3   /* the next of the stream */
} CLS_CONTEXT_MODE,
    *PCLS_CONTEXT_MODE, **PPCLS_CONTEXT_MODE;
typedef CLS_CONTEXT_MODE CLFS_CONTEXT_MODE, *PCLFS_CONTEXT_MODE, **PPCLFS_CONTEXT_MODE;

/* One piece of a record's data. */
typedef struct _CLS_WRITE_ENTRY {
    PVOID Buffer;
    ULONG ByteLength;
} CLS_WRITE_ENTRY, *PCLS_WRITE_ENTRY, **PPCLS_WRITE_ENTRY;
typedef CLS_WRITE_ENTRY CLFS_WRITE_ENTRY, *PCLFS_WRITE_ENTRY, **PPCLFS_WRITE_ENTRY;

/* ---- what is known about a log ---- */

typedef GUID CLFS_LOG_ID;

typedef struct _CLFS_NODE_ID {
    ULONG cType;
    ULONG cbNode;
} CLFS_NODE_ID, *PCLFS_NODE_ID;

typedef enum _CLS_LOG_INFORMATION_CLASS {
    ClfsLogBasicInformation = 0,            /* CLFS_INFORMATION of the stream */
    ClfsLogBasicInformationPhysical = 1,    /* CLFS_INFORMATION of the physical log */
    ClfsLogPhysicalNameInformation = 2,     /* CLFS_LOG_NAME_INFORMATION */
    ClfsLogStreamIdentifierInformation = 3, /* CLFS_STREAM_ID_INFORMATION */
    ClfsLogSystemMarkingInformation = 4,    /* ULONG */
    ClfsLogPhysicalLsnInformation = 5       /* CLFS_PHYSICAL_LSN_INFORMATION, in and out */
} CLS_LOG_INFORMATION_CLASS,
    *PCLS_LOG_INFORMATION_CLASS, **PPCLS_LOG_INFORMATION_CLASS;
typedef CLS_LOG_INFORMATION_CLASS CLFS_LOG_INFORMATION_CLASS, *PCLFS_LOG_INFORMATION_CLASS,
    **PPCLFS_LOG_INFORMATION_CLASS;

/* One snapshot: BaseLsn <= LastLsn, LastFlushedLsn <= LastLsn, RestartLsn < LastLsn or invalid
 * [CLFS-BASE-06, CLFS-INFO-15]. 'Stream' fields are those of the physical log in the physical
 * class.
 */
typedef struct _CLS_INFORMATION {
    LONGLONG TotalAvailable;   /* bytes in all containers */
    LONGLONG CurrentAvailable; /* bytes for new records and reservations */
    LONGLONG TotalReservation; /* stream: bytes reserved */
    ULONGLONG BaseFileSize;    /* bytes */
    ULONGLONG ContainerSize;   /* bytes of each; 0: no container yet */
    ULONG TotalContainers;     /* 0 after creation: add some [CLFS-INFO-18] */
    ULONG FreeContainers;      /* not active */
    ULONG TotalClients;        /* streams of the log */
    ULONG Attributes;          /* stream: FILE_ATTRIBUTE_ bits [CLFS-INFO-19] */
    ULONG FlushThreshold;      /* bytes not written yet that make the log write */
    ULONG SectorSize;          /* bytes; blocks are aligned to it */
    CLS_LSN MinArchiveTailLsn; /* oldest record not archived; invalid for an ephemeral log */
    CLS_LSN BaseLsn;           /* stream: oldest record still needed */
    CLS_LSN LastFlushedLsn;    /* stream: all records below are durable [CLFS-BASE-05] */
    CLS_LSN LastLsn;           /* stream: above all records, below those to come [CLFS-BASE-04] */
    CLS_LSN RestartLsn;        /* stream: newest restart record; invalid: none [CLFS-BASE-07] */
    CLFS_LOG_ID Identity;      /* random, fixed at creation [CLFS-INFO-20] */
} CLS_INFORMATION, *PCLS_INFORMATION, *PPCLS_INFORMATION;
typedef CLS_INFORMATION CLFS_INFORMATION, *PCLFS_INFORMATION, *PPCLFS_INFORMATION;

typedef struct _CLFS_LOG_NAME_INFORMATION {
    USHORT NameLengthInBytes;
    WCHAR Name[1]; /* path without "log:" and ".blf", no terminating NUL [CLFS-INFO-07] */
} CLFS_LOG_NAME_INFORMATION, *PCLFS_LOG_NAME_INFORMATION, **PPCLFS_LOG_NAME_INFORMATION;

typedef struct _CLFS_STREAM_ID_INFORMATION {
    UCHAR StreamIdentifier; /* 0: dedicated log or physical LFO; else 1..96 [CLFS-INFO-08] */
} CLFS_STREAM_ID_INFORMATION, *PCLFS_STREAM_ID_INFORMATION, **PPCLFS_STREAM_ID_INFORMATION;

typedef struct _CLFS_PHYSICAL_LSN_INFORMATION {
    UCHAR StreamIdentifier;
    CLFS_LSN VirtualLsn;  /* in */
    CLFS_LSN PhysicalLsn; /* out */
} CLFS_PHYSICAL_LSN_INFORMATION, *PCLFS_PHYSICAL_LSN_INFORMATION, **PPCLFS_PHYSICAL_LSN_INFORMATION;

/* One of the six states of docs/spec/clfs.md section 1.3. */
typedef UINT32 CLS_CONTAINER_STATE, *PCLS_CONTAINER_STATE, *PPCLS_CONTAINER_STATE;
typedef CLS_CONTAINER_STATE CLFS_CONTAINER_STATE, *PCLFS_CONTAINER_STATE, *PPCLFS_CONTAINER_STATE;

#define ClfsContainerInitializing            0x01 /* being created */
#define ClfsContainerInactive                0x02 /* free */
#define ClfsContainerActive                  0x04 /* holds, or is about to get, needed records */
#define ClfsContainerActivePendingDelete     0x08 /* active, to be removed when it is not */
#define ClfsContainerPendingArchive          0x10 /* needed by the archive tail only */
#define ClfsContainerPendingArchiveAndDelete 0x20 /* the same, to be removed then */

#define CLFS_MAX_CONTAINER_INFO 256 /* WCHARs of FileName */

typedef struct _CLS_CONTAINER_INFORMATION {
    ULONG FileAttributes;
    ULONGLONG CreationTime; /* 100 ns since 1601-01-01 UTC, as the next two */
    ULONGLONG LastAccessTime;
    ULONGLONG LastWriteTime;
    LONGLONG ContainerSize;                  /* bytes */
    ULONG FileNameActualLength;              /* WCHARs of the whole path */
    ULONG FileNameLength;                    /* WCHARs in FileName, <= 256 */
    WCHAR FileName[CLFS_MAX_CONTAINER_INFO]; /* no NUL when full [CLFS-SCAN-16] */
    CLFS_CONTAINER_STATE State;
    CLFS_CONTAINER_ID PhysicalContainerId; /* constant */
    CLFS_CONTAINER_ID LogicalContainerId;  /* new each time the container is recycled */
} CLS_CONTAINER_INFORMATION, *PCLS_CONTAINER_INFORMATION, **PPCLS_CONTAINER_INFORMATION;
typedef CLS_CONTAINER_INFORMATION CLFS_CONTAINER_INFORMATION, *PCLFS_CONTAINER_INFORMATION,
    **PPCLFS_CONTAINER_INFORMATION;

typedef enum _CLS_IOSTATS_CLASS {
    ClfsIoStatsDefault = 0x0000,
    ClfsIoStatsMax = 0xFFFF
} CLS_IOSTATS_CLASS,
    *PCLS_IOSTATS_CLASS, **PPCLS_IOSTATS_CLASS;
typedef CLS_IOSTATS_CLASS CLFS_IOSTATS_CLASS, *PCLFS_IOSTATS_CLASS, **PPCLFS_IOSTATS_CLASS;

typedef struct _CLS_IO_STATISTICS_HEADER {
    UCHAR ubMajorVersion;           /* 1 */
    UCHAR ubMinorVersion;           /* 0 */
    CLFS_IOSTATS_CLASS eStatsClass; /* ignored */
    USHORT cbLength;                /* sizeof(CLFS_IO_STATISTICS) */
    ULONG coffData;                 /* where the counters start: 16 */
} CLS_IO_STATISTICS_HEADER, *PCLS_IO_STATISTICS_HEADER, **PPCLS_IO_STATISTICS_HEADER;
typedef CLS_IO_STATISTICS_HEADER CLFS_IO_STATISTICS_HEADER, *PCLFS_IO_STATISTICS_HEADER,
    **PPCLFS_IO_STATISTICS_HEADER;

/* Since the physical log was first opened; they only grow [CLFS-IOST-05]. */
typedef struct _CLS_IO_STATISTICS {
    CLS_IO_STATISTICS_HEADER hdrIoStats;
    ULONGLONG cFlush;      /* flushes of records */
    ULONGLONG cbFlush;     /* bytes in them */
    ULONGLONG cMetaFlush;  /* flushes of metadata */
    ULONGLONG cbMetaFlush; /* bytes in them */
} CLS_IO_STATISTICS, *PCLS_IO_STATISTICS, **PPCLS_IO_STATISTICS;
typedef CLS_IO_STATISTICS CLFS_IO_STATISTICS, *PCLFS_IO_STATISTICS, **PPCLFS_IO_STATISTICS;

/* ---- archiving ---- */

typedef enum _CLFS_LOG_ARCHIVE_MODE {
    ClfsLogArchiveEnabled = 1, /* the log keeps an archive tail */
    ClfsLogArchiveDisabled = 2 /* it is ephemeral */
} CLFS_LOG_ARCHIVE_MODE,
    *PCLFS_LOG_ARCHIVE_MODE;

/* A piece of log to be copied: from which container, from and to which byte, both included. */
typedef struct _CLS_ARCHIVE_DESCRIPTOR {
    ULONGLONG coffLow;
    ULONGLONG coffHigh;
    CLS_CONTAINER_INFORMATION infoContainer;
} CLS_ARCHIVE_DESCRIPTOR, *PCLS_ARCHIVE_DESCRIPTOR, **PPCLS_ARCHIVE_DESCRIPTOR;
typedef CLS_ARCHIVE_DESCRIPTOR CLFS_ARCHIVE_DESCRIPTOR, *PCLFS_ARCHIVE_DESCRIPTOR,
    **PPCLFS_ARCHIVE_DESCRIPTOR;

/* Give and take back the memory of a block, for clfsw32.h; rules as for the routines of
 * ClfsCreateMarshallingArea [CLFS-AREA-05..07]. */
typedef PVOID (*CLFS_BLOCK_ALLOCATION)(ULONG cbBufferLength, PVOID pvUserContext);
typedef void (*CLFS_BLOCK_DEALLOCATION)(PVOID pvBuffer, PVOID pvUserContext);

/* ---- open logs and scans ---- */

/* An open instance of a stream or of a physical log ("LFO"). Do not look inside [CLFS-TYPE-05]. */
typedef struct _FILE_OBJECT FILE_OBJECT, *PFILE_OBJECT;
typedef FILE_OBJECT LOG_FILE_OBJECT, *PLOG_FILE_OBJECT, **PPLOG_FILE_OBJECT;

/* How a scan goes: one direction, or CLOSE; INIT with a direction to use a context again. */
typedef UCHAR CLFS_SCAN_MODE, *PCLFS_SCAN_MODE;

#define CLFS_SCAN_INIT        0x01
#define CLFS_SCAN_FORWARD     0x02
#define CLFS_SCAN_BACKWARD    0x04
#define CLFS_SCAN_CLOSE       0x08
#define CLFS_SCAN_INITIALIZED 0x10 /* internal */
#define CLFS_SCAN_BUFFERED    0x20 /* internal */

/* A cursor over the containers, in the caller's memory. Read cContainersReturned elements of
 * pinfoContainer after each scan; the array is the library's. */
typedef struct _CLS_SCAN_CONTEXT {
    CLFS_NODE_ID cidNode;
    __extension__ union {
        PLOG_FILE_OBJECT plfoLog; /* here */
        HANDLE hLog;              /* in clfsw32.h */
    };
    ULONG cIndex __attribute__((aligned(8)));              /* of the current container */
    ULONG cContainers __attribute__((aligned(8)));         /* wanted per scan */
    ULONG cContainersReturned __attribute__((aligned(8))); /* by the last scan */
    CLFS_SCAN_MODE eScanMode __attribute__((aligned(8)));
    PCLFS_CONTAINER_INFORMATION pinfoContainer __attribute__((aligned(8)));
} CLS_SCAN_CONTEXT, *PCLS_SCAN_CONTEXT, **PPCLS_SCAN_CONTEXT;
typedef CLS_SCAN_CONTEXT CLFS_SCAN_CONTEXT, *PCLFS_SCAN_CONTEXT, **PPCLFS_SCAN_CONTEXT;

EXTERN_C_END

/* ---- proof of the layouts [CLFS-TYPE-03, CLFS-TYPE-07] ---- */

C_ASSERT(sizeof(CLFS_RECORD_TYPE) == 1 && sizeof(CLFS_SCAN_MODE) == 1);
C_ASSERT(sizeof(CLFS_CONTAINER_STATE) == 4 && sizeof(CLFS_CONTAINER_ID) == 4);
C_ASSERT(sizeof(CLFS_CONTEXT_MODE) == 4 && sizeof(CLFS_LOG_INFORMATION_CLASS) == 4);
C_ASSERT(sizeof(CLFS_LSN) == 8 && sizeof(CLFS_NODE_ID) == 8 && sizeof(CLFS_LOG_ID) == 16);
C_ASSERT(sizeof(CLFS_WRITE_ENTRY) == 16 && offsetof(CLFS_WRITE_ENTRY, ByteLength) == 8);
C_ASSERT(sizeof(CLFS_INFORMATION) == 120);
C_ASSERT(offsetof(CLFS_INFORMATION, BaseFileSize) == 24);
C_ASSERT(offsetof(CLFS_INFORMATION, TotalContainers) == 40);
C_ASSERT(offsetof(CLFS_INFORMATION, SectorSize) == 60);
C_ASSERT(offsetof(CLFS_INFORMATION, MinArchiveTailLsn) == 64);
C_ASSERT(offsetof(CLFS_INFORMATION, RestartLsn) == 96);
C_ASSERT(offsetof(CLFS_INFORMATION, Identity) == 104);
C_ASSERT(sizeof(CLFS_LOG_NAME_INFORMATION) == 4 && sizeof(CLFS_STREAM_ID_INFORMATION) == 1);
C_ASSERT(offsetof(CLFS_LOG_NAME_INFORMATION, Name) == 2);
C_ASSERT(sizeof(CLFS_PHYSICAL_LSN_INFORMATION) == 24);
C_ASSERT(offsetof(CLFS_PHYSICAL_LSN_INFORMATION, PhysicalLsn) == 16);
C_ASSERT(sizeof(CLFS_CONTAINER_INFORMATION) == 576);
C_ASSERT(offsetof(CLFS_CONTAINER_INFORMATION, CreationTime) == 8);
C_ASSERT(offsetof(CLFS_CONTAINER_INFORMATION, ContainerSize) == 32);
C_ASSERT(offsetof(CLFS_CONTAINER_INFORMATION, FileName) == 48);
C_ASSERT(offsetof(CLFS_CONTAINER_INFORMATION, State) == 560);
C_ASSERT(offsetof(CLFS_CONTAINER_INFORMATION, LogicalContainerId) == 568);
C_ASSERT(sizeof(CLFS_IO_STATISTICS_HEADER) == 16 && sizeof(CLFS_IO_STATISTICS) == 48);
C_ASSERT(offsetof(CLFS_IO_STATISTICS_HEADER, eStatsClass) == 4);
C_ASSERT(offsetof(CLFS_IO_STATISTICS_HEADER, coffData) == 12);
C_ASSERT(offsetof(CLFS_IO_STATISTICS, cbMetaFlush) == 40);
C_ASSERT(sizeof(CLFS_SCAN_CONTEXT) == 56);
C_ASSERT(offsetof(CLFS_SCAN_CONTEXT, plfoLog) == 8 && offsetof(CLFS_SCAN_CONTEXT, cIndex) == 16);
C_ASSERT(offsetof(CLFS_SCAN_CONTEXT, cContainersReturned) == 32);
C_ASSERT(offsetof(CLFS_SCAN_CONTEXT, eScanMode) == 40);
C_ASSERT(offsetof(CLFS_SCAN_CONTEXT, pinfoContainer) == 48);
C_ASSERT(sizeof(CLFS_ARCHIVE_DESCRIPTOR) == 592);
C_ASSERT(offsetof(CLFS_ARCHIVE_DESCRIPTOR, infoContainer) == 16);
