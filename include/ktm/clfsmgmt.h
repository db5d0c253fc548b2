/* SPDX-License-Identifier: MIT */
/*
 * Log management: policies that grow and shrink a log, and clients that move their base when it is
 * full [docs/spec/clfs.md section 7]. Optional; a log works without.
 *
 * A client registers callbacks for its stream. When its append meets STATUS_LOG_FULL it calls
 * ClfsMgmtHandleLogFileFull; the log grows as the policies allow, or clients are asked to move
 * their base, and the client is told when there is space. An append never waits for any of this
 * [CLFS-APPEND-40].
 *
 * The rules at the top of clfs.h hold here too. Policies belong to the physical log and are gone
 * when its last LFO is closed [CLFS-MGMT-14..17]. Callbacks run with no lock held, on the caller's
 * or a library thread, one at a time per client; they may call every routine but
 * ClfsMgmtSetLogFileSize, its AsClient form, and ClfsMgmtHandleLogFileFull of the same client
 * [CLFS-MGMT-87, CLFS-MGMT-88].
 */
#pragma once

#include "clfstypes.h"

EXTERN_C_START

#define CLFS_MGMT_POLICY_VERSION              1
#define CLFS_MGMT_CLIENT_REGISTRATION_VERSION 1
#define CLFS_MGMT_NUM_POLICIES                10

#define CLFS_LOG_SIZE_MINIMUM ((ULONGLONG)0)
#define CLFS_LOG_SIZE_MAXIMUM ((ULONGLONG)0xFFFFFFFFFFFFFFFF)

/* Bits of CLFS_MGMT_POLICY.PolicyFlags; any other is refused [CLFS-MGMT-19]. */
#define LOG_POLICY_OVERWRITE 0x01 /* replace a policy of the type */
#define LOG_POLICY_PERSIST   0x02 /* not supported */

/* ---- policies ---- */

typedef enum _CLFS_MGMT_POLICY_TYPE {
    ClfsMgmtPolicyMaximumSize = 0,      /* containers at most, for growth; without: 1023 */
    ClfsMgmtPolicyMinimumSize = 1,      /* containers at least, for shrinking; without: 2 */
    ClfsMgmtPolicyNewContainerSize = 2, /* bytes, only before the first container */
    ClfsMgmtPolicyGrowthRate = 3,       /* containers per step; without: 1 */
    ClfsMgmtPolicyLogTail = 4,          /* what is to be free when tails move; without: 35 % */
    ClfsMgmtPolicyAutoShrink = 5,       /* shrink when that percentage is free; without: off */
    ClfsMgmtPolicyAutoGrow = 6,         /* grow when fewer than two are free; without: off */
    ClfsMgmtPolicyNewContainerPrefix = 7,
    ClfsMgmtPolicyNewContainerSuffix = 8, /* the next number; without: 1 */
    ClfsMgmtPolicyNewContainerExtension = 9,
    ClfsMgmtPolicyInvalid = 10 /* none: their number [CLFS-TYPE-09] */
} CLFS_MGMT_POLICY_TYPE,
    *PCLFS_MGMT_POLICY_TYPE;

/* One policy. 'LengthInBytes' covers the string of a prefix or extension, which follows in place
 * [CLFS-MGMT-22]. */
typedef struct _CLFS_MGMT_POLICY {
    ULONG Version; /* CLFS_MGMT_POLICY_VERSION */
    ULONG LengthInBytes;
    ULONG PolicyFlags;
    CLFS_MGMT_POLICY_TYPE PolicyType;
    union {
        struct {
            ULONG Containers; /* 2..1023 */
        } MaximumSize;
        struct {
            ULONG Containers; /* 2..1023 */
        } MinimumSize;
        struct {
            ULONG SizeInBytes;
        } NewContainerSize;
        struct {
            ULONG AbsoluteGrowthInContainers;
            ULONG RelativeGrowthPercentage; /* at most one of the two is not 0 */
        } GrowthRate;
        struct {
            ULONG MinimumAvailablePercentage;
            ULONG MinimumAvailableContainers; /* at most one of the two is not 0 */
        } LogTail;
        struct {
            ULONG Percentage; /* 0..100, 0: off */
        } AutoShrink;
        struct {
            ULONG Enabled; /* not 0: on */
        } AutoGrow;
        struct {
            USHORT PrefixLengthInBytes;
            WCHAR PrefixString[1]; /* directory and beginning of the name */
        } NewContainerPrefix;
        struct {
            ULONGLONG NextContainerSuffix;
        } NewContainerSuffix;
        struct {
            USHORT ExtensionLengthInBytes;
            WCHAR ExtensionString[1]; /* without the dot */
        } NewContainerExtension;
    } PolicyParameters;
} CLFS_MGMT_POLICY, *PCLFS_MGMT_POLICY;

/* Installs a policy; it takes effect at the next management action. Any LFO of the log with
 * GENERIC_WRITE will do [CLFS-MGMT-14..32]. 'PolicyLength': bytes of the buffer. Answers:
 * INVALID_PARAMETER_1 (no LFO), _2 (no policy), _3 (length < 24), INVALID_PARAMETER (version, type,
 * LengthInBytes), NOT_SUPPORTED (flag), LOG_POLICY_ALREADY_INSTALLED (no LOG_POLICY_OVERWRITE),
 * LOG_POLICY_INVALID (value), LOG_POLICY_CONFLICT (minimum above maximum), OBJECT_PATH_NOT_FOUND
 * (prefix too long), ACCESS_DENIED. */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtInstallPolicy(PLOG_FILE_OBJECT LogFile, PCLFS_MGMT_POLICY Policy,
                                                 ULONG PolicyLength);
/* Reads an installed policy; defaults are not reported. '*PolicyLength': bytes of the buffer, then
 * bytes of the policy [CLFS-MGMT-33..37]. Answers: INVALID_PARAMETER_1 (no LFO), _2 (buffer < 24),
 * INVALID_PARAMETER (type), LOG_POLICY_NOT_INSTALLED, BUFFER_OVERFLOW (string does not fit),
 * UNSUCCESSFUL. */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtQueryPolicy(PLOG_FILE_OBJECT LogFile,
                                               CLFS_MGMT_POLICY_TYPE PolicyType,
                                               _Out_ PCLFS_MGMT_POLICY Policy,
                                               _Inout_ PULONG PolicyLength);
/* Back to the default. Needs GENERIC_WRITE [CLFS-MGMT-38..40]. Answers: INVALID_PARAMETER_1 (no
 * LFO), INVALID_PARAMETER (type), LOG_POLICY_NOT_INSTALLED, ACCESS_DENIED, UNSUCCESSFUL. */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtRemovePolicy(PLOG_FILE_OBJECT LogFile,
                                                CLFS_MGMT_POLICY_TYPE PolicyType);

/* ---- clients ---- */

/* The cookie of a registration; it is looked up, never followed [CLFS-MGMT-13]. */
typedef PVOID CLFS_MGMT_CLIENT, *PCLFS_MGMT_CLIENT;

/* "Move your base to *TargetLsn or beyond." Queue the work and return STATUS_PENDING, then call
 * ClfsAdvanceLogBase or ClfsWriteRestartArea; an error, now or through ClfsMgmtTailAdvanceFailure,
 * means it cannot be done. '*TargetLsn' is valid during the call and need not be a record
 * [CLFS-MGMT-72..80, CLFS-MGMT-89]. */
typedef NTSTATUS (*PCLFS_CLIENT_ADVANCE_TAIL_CALLBACK)(PLOG_FILE_OBJECT LogFile,
                                                       PCLFS_LSN TargetLsn, PVOID ClientData);
/* "The request of ClfsMgmtHandleLogFileFull that was pending is finished": STATUS_SUCCESS for
 * space, else the reason. LogIsPinned: a client does not move; LogUnpinnedCallback follows when it
 * does [CLFS-MGMT-65, CLFS-MGMT-69, CLFS-MGMT-84, CLFS-MGMT-86]. */
typedef VOID (*PCLFS_CLIENT_LFF_HANDLER_COMPLETE_CALLBACK)(PLOG_FILE_OBJECT LogFile,
                                                           NTSTATUS OperationStatus,
                                                           BOOLEAN LogIsPinned, PVOID ClientData);
/* "The log is no longer pinned" [CLFS-MGMT-70]. */
typedef VOID (*PCLFS_CLIENT_LOG_UNPINNED_CALLBACK)(PLOG_FILE_OBJECT LogFile, PVOID ClientData);
/* Never called: resizing is synchronous [CLFS-MGMT-48]. */
typedef VOID (*PCLFS_SET_LOG_SIZE_COMPLETE_CALLBACK)(PLOG_FILE_OBJECT LogFile,
                                                     NTSTATUS OperationStatus, PVOID ClientData);

/* All three callbacks are needed; each gets its data. */
typedef struct _CLFS_MGMT_CLIENT_REGISTRATION {
    ULONG Version; /* CLFS_MGMT_CLIENT_REGISTRATION_VERSION */
    PCLFS_CLIENT_ADVANCE_TAIL_CALLBACK AdvanceTailCallback;
    PVOID AdvanceTailCallbackData;
    PCLFS_CLIENT_LFF_HANDLER_COMPLETE_CALLBACK LogGrowthCompleteCallback;
    PVOID LogGrowthCompleteCallbackData;
    PCLFS_CLIENT_LOG_UNPINNED_CALLBACK LogUnpinnedCallback;
    PVOID LogUnpinnedCallbackData;
} CLFS_MGMT_CLIENT_REGISTRATION, *PCLFS_MGMT_CLIENT_REGISTRATION;

/* Registers a client for the stream of 'LogFile'; callbacks may run before this returns. Closing
 * the LFO deregisters it [CLFS-MGMT-01..07, CLFS-MGMT-12]. Answers: INVALID_PARAMETER (a NULL,
 * version), LOG_MULTIPLEXED (physical LFO), UNSUCCESSFUL. */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtRegisterManagedClient(
    PLOG_FILE_OBJECT LogFile, PCLFS_MGMT_CLIENT_REGISTRATION RegistrationData,
    _Out_ PCLFS_MGMT_CLIENT ClientCookie);
/* Afterwards no callback of the client runs; waits for those on other threads. A pending request is
 * dropped silently [CLFS-MGMT-08..11]. Answers: INVALID_PARAMETER (NULL), INVALID_PARAMETER_1 (no
 * such client), UNSUCCESSFUL. */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtDeregisterManagedClient(CLFS_MGMT_CLIENT ClientCookie);

/* Makes space: grows the log, else has tails moved [CLFS-MGMT-61..71]. SUCCESS: there is space.
 * PENDING: LogGrowthCompleteCallback will be called once, perhaps before this returns. Answers:
 * LOG_FULL_HANDLER_IN_PROGRESS (one is pending), INVALID_PARAMETER_1 (no such client),
 * INVALID_PARAMETER, UNSUCCESSFUL. */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtHandleLogFileFull(CLFS_MGMT_CLIENT Client);
/* Says that the client cannot move its base; 'Reason' goes to whoever asked for space. Without
 * effect when nothing was asked [CLFS-MGMT-81..83]. Answers: INVALID_PARAMETER (NULL),
 * INVALID_PARAMETER_1 (no such client). */
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtTailAdvanceFailure(CLFS_MGMT_CLIENT Client, NTSTATUS Reason);

/* ---- size ---- */

/* Brings the log to '*NewSizeInContainers' containers: 0 is the minimum, 2..1023 a number within
 * the policies; '*ResultingSizeInContainers' receives how many there are then, also with
 * COULD_NOT_RESIZE_LOG and LOG_POLICY_CONFLICT. The usual way to make the first containers. The
 * routine and its data are NULL. Not from inside an advance-tail callback [CLFS-MGMT-41..56]. The
 * AsClient form acts for a client, whose own tail is not asked to move; the cookie may be NULL.
 * Answers: INVALID_PARAMETER_1 (no LFO, or size 1), _2 (no size), LOG_POLICY_INVALID (policies
 * contradict), COULD_NOT_RESIZE_LOG (not enough could be removed), LOG_POLICY_CONFLICT (not enough
 * could be added), LOG_STATE_INVALID (from a callback), ACCESS_DENIED, UNSUCCESSFUL. */
NTKERNELAPI NTSTATUS NTAPI
ClfsMgmtSetLogFileSize(PLOG_FILE_OBJECT LogFile, PULONGLONG NewSizeInContainers,
                       _Out_opt_ PULONGLONG ResultingSizeInContainers,
                       _Reserved_ PCLFS_SET_LOG_SIZE_COMPLETE_CALLBACK CompletionRoutine,
                       _Reserved_ PVOID CompletionRoutineData);
NTKERNELAPI NTSTATUS NTAPI ClfsMgmtSetLogFileSizeAsClient(
    PLOG_FILE_OBJECT LogFile, _In_opt_ PCLFS_MGMT_CLIENT ClientCookie,
    PULONGLONG NewSizeInContainers, _Out_opt_ PULONGLONG ResultingSizeInContainers,
    _Reserved_ PCLFS_SET_LOG_SIZE_COMPLETE_CALLBACK CompletionRoutine,
    _Reserved_ PVOID CompletionRoutineData);

/* ---- notifications (clfsmgmtw32.h delivers them) ---- */

typedef enum _CLFS_MGMT_NOTIFICATION_TYPE {
    ClfsMgmtAdvanceTailNotification = 0,
    ClfsMgmtLogFullHandlerNotification = 1,
    ClfsMgmtLogUnpinnedNotification = 2,
    ClfsMgmtLogWriteNotification = 3
} CLFS_MGMT_NOTIFICATION_TYPE,
    *PCLFS_MGMT_NOTIFICATION_TYPE;

typedef struct _CLFS_MGMT_NOTIFICATION {
    CLFS_MGMT_NOTIFICATION_TYPE Notification;
    CLFS_LSN Lsn;       /* where the base is to go (advance tail) */
    USHORT LogIsPinned; /* (log full handler) */
} CLFS_MGMT_NOTIFICATION, *PCLFS_MGMT_NOTIFICATION;

EXTERN_C_END

/* ---- proof of the layouts [CLFS-TYPE-07] ---- */

C_ASSERT(sizeof(CLFS_MGMT_POLICY) == 24 && offsetof(CLFS_MGMT_POLICY, PolicyType) == 12);
C_ASSERT(offsetof(CLFS_MGMT_POLICY, PolicyParameters) == 16);
C_ASSERT(offsetof(CLFS_MGMT_POLICY, PolicyParameters.GrowthRate.RelativeGrowthPercentage) == 20);
C_ASSERT(offsetof(CLFS_MGMT_POLICY, PolicyParameters.NewContainerPrefix.PrefixString) == 18);
C_ASSERT(offsetof(CLFS_MGMT_POLICY, PolicyParameters.NewContainerExtension.ExtensionString) == 18);
C_ASSERT(sizeof(CLFS_MGMT_NOTIFICATION) == 24);
C_ASSERT(offsetof(CLFS_MGMT_NOTIFICATION, Lsn) == 8);
C_ASSERT(offsetof(CLFS_MGMT_NOTIFICATION, LogIsPinned) == 16);
C_ASSERT(sizeof(CLFS_MGMT_CLIENT_REGISTRATION) == 56 && sizeof(CLFS_MGMT_CLIENT) == 8);
C_ASSERT(offsetof(CLFS_MGMT_CLIENT_REGISTRATION, AdvanceTailCallback) == 8);
C_ASSERT(offsetof(CLFS_MGMT_CLIENT_REGISTRATION, LogUnpinnedCallbackData) == 48);
