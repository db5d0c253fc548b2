/* SPDX-License-Identifier: MIT */
/*
 * What the KTM routines take and give: structures, options, notification bits, information classes,
 * access rights. The routines themselves are in wdm.h (Nt and Tm) and ktmw32.h (Win32).
 *
 * The objects: a *transaction manager* (TM) keeps a log and a virtual clock; a *resource manager*
 * (RM) registers with a TM and owns data; a *transaction* (TX) is what a program commits or rolls
 * back; an *enlistment* (EN) is the part one RM has in one TX.
 *
 * Sizes and offsets are those of Windows on x86-64 [docs/spec/ktm-types.md section 2], and proved
 * at the end of this file. Structures that end in an array of one element are followed by as many
 * as their count or length says; the least useful buffer reaches to the offset of the array, not to
 * sizeof.
 */
#pragma once

#include "ktmbase.h"

EXTERN_C_START

typedef GUID UOW, *PUOW; /* "unit of work": the identifier of a transaction */
typedef GUID CRM_PROTOCOL_ID, *PCRM_PROTOCOL_ID;
typedef ULONG NOTIFICATION_MASK; /* a set of TRANSACTION_NOTIFY_ bits */
typedef ULONG SAVEPOINT_ID, *PSAVEPOINT_ID;

/* Objects by pointer, opaque. They come from ObReferenceObjectByHandle or a callback. */
typedef struct _KTM *PKTM, *__restrict PRKTM;
typedef struct _KRESOURCEMANAGER *PKRESOURCEMANAGER, *__restrict PRKRESOURCEMANAGER;
typedef struct _KTRANSACTION *PKTRANSACTION, *__restrict PRKTRANSACTION;
typedef struct _KENLISTMENT *PKENLISTMENT, *__restrict PRKENLISTMENT;

/* ---- creation options ---- */

#define TRANSACTION_MANAGER_VOLATILE             0x00000001 /* no log: nothing outlives the TM */
#define TRANSACTION_MANAGER_COMMIT_DEFAULT       0x00000000
#define TRANSACTION_MANAGER_COMMIT_SYSTEM_VOLUME 0x00000002 /* accepted, no effect, */
#define TRANSACTION_MANAGER_COMMIT_SYSTEM_HIVES  0x00000004 /*   and so down to MAXIMUM_OPTION */
#define TRANSACTION_MANAGER_COMMIT_LOWEST        0x00000008 /*   [TM-CREATE-06] */
#define TRANSACTION_MANAGER_CORRUPT_FOR_RECOVERY 0x00000010
#define TRANSACTION_MANAGER_CORRUPT_FOR_PROGRESS 0x00000020
#define TRANSACTION_MANAGER_MAXIMUM_OPTION       0x0000003F /* all valid bits [TM-CREATE-04] */

#define TRANSACTION_DO_NOT_PROMOTE 0x00000001 /* must not span TMs [TX-CREATE-10] */
#define TRANSACTION_MAXIMUM_OPTION 0x00000001

#define RESOURCE_MANAGER_VOLATILE       0x00000001 /* keeps no durable state, needs no recovery */
#define RESOURCE_MANAGER_COMMUNICATION  0x00000002 /* may register protocols [RM-CREATE-15] */
#define RESOURCE_MANAGER_MAXIMUM_OPTION 0x00000003

#define ENLISTMENT_SUPERIOR       0x00000001 /* enlist as superior transaction manager */
#define ENLISTMENT_MAXIMUM_OPTION 0x00000001

#define CRM_PROTOCOL_EXPLICIT_MARSHAL_ONLY 0x00000001
#define CRM_PROTOCOL_DYNAMIC_MARSHAL_INFO  0x00000002
#define CRM_PROTOCOL_MAXIMUM_OPTION        0x00000003

#define MAX_TRANSACTION_DESCRIPTION_LENGTH     64 /* WCHARs */
#define MAX_RESOURCEMANAGER_DESCRIPTION_LENGTH 64 /* WCHARs */

#define KTM_MARSHAL_BLOB_VERSION_MAJOR 1
#define KTM_MARSHAL_BLOB_VERSION_MINOR 1

/* ---- notifications: what the bits say, who gets them, what is owed in answer ---- */

/* To an ordinary (subordinate) enlistment, which asked for it in its mask [MASK-01..15]. */
#define TRANSACTION_NOTIFY_PREPREPARE 0x00000001 /* phase 0, flush: PrePrepareComplete is owed */
#define TRANSACTION_NOTIFY_PREPARE    0x00000002 /* phase 1, promise: PrepareComplete is owed */
#define TRANSACTION_NOTIFY_COMMIT     0x00000004 /* phase 2, committed: CommitComplete is owed */
#define TRANSACTION_NOTIFY_ROLLBACK   0x00000008 /* aborted: RollbackComplete is owed */
#define TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT                                                     \
    0x00000200 /* commit in one step: CommitComplete or SinglePhaseReject is owed */
#define TRANSACTION_NOTIFY_RECOVER 0x00000100 /* RecoverEnlistment is owed; carries an argument */
#define TRANSACTION_NOTIFY_INDOUBT 0x00004000 /* no outcome yet, wait; nothing is owed */
#define TRANSACTION_NOTIFY_RM_DISCONNECTED                                                         \
    0x01000000 /* the RM with the single-phase commit went away; nothing is owed */

/* To a superior enlistment, besides ROLLBACK and RM_DISCONNECTED [NOTIF-14]. */
#define TRANSACTION_NOTIFY_PREPREPARE_COMPLETE 0x00000010 /* all subordinates ended phase 0 */
#define TRANSACTION_NOTIFY_PREPARE_COMPLETE    0x00000020 /* all subordinates are prepared */
#define TRANSACTION_NOTIFY_COMMIT_COMPLETE     0x00000040 /* all subordinates have committed */
#define TRANSACTION_NOTIFY_ROLLBACK_COMPLETE   0x00000080 /* all subordinates have rolled back */
#define TRANSACTION_NOTIFY_RECOVER_QUERY       0x00000800 /* tell the outcome; has an argument */
#define TRANSACTION_NOTIFY_COMMIT_REQUEST      0x04000000 /* a client asked for commit */
#define TRANSACTION_NOTIFY_REQUEST_OUTCOME     0x20000000 /* a subordinate wants the outcome soon */

/* To a resource manager, for no enlistment: the recovery pass is over. */
#define TRANSACTION_NOTIFY_LAST_RECOVER 0x00002000

/* Accepted in a mask and never delivered [MASK-10]. */
#define TRANSACTION_NOTIFY_DELEGATE_COMMIT   0x00000400
#define TRANSACTION_NOTIFY_ENLIST_PREPREPARE 0x00001000
#define TRANSACTION_NOTIFY_PROPAGATE_PULL    0x00008000
#define TRANSACTION_NOTIFY_PROPAGATE_PUSH    0x00010000
#define TRANSACTION_NOTIFY_MARSHAL           0x00020000
#define TRANSACTION_NOTIFY_ENLIST_MASK       0x00040000
#define TRANSACTION_NOTIFY_TM_ONLINE         0x02000000
#define TRANSACTION_NOTIFY_PROMOTE           0x08000000
#define TRANSACTION_NOTIFY_PROMOTE_NEW       0x10000000

#define TRANSACTION_NOTIFY_MASK            0x3FFFFFFF /* all that a mask may have [MASK-07] */
#define TRANSACTION_NOTIFY_COMMIT_FINALIZE 0x40000000 /* not in a mask, never sent */

/* One notification as NtGetNotificationResourceManager delivers it. The argument, when
 * ArgumentLength is not 0, follows at sizeof(TRANSACTION_NOTIFICATION). */
typedef struct _TRANSACTION_NOTIFICATION {
    PVOID TransactionKey;          /* the key given when enlisting or recovering; NULL: none */
    ULONG TransactionNotification; /* one TRANSACTION_NOTIFY_ bit */
    LARGE_INTEGER TmVirtualClock;  /* when the notification was prepared [NOTIF-05] */
    ULONG ArgumentLength;          /* bytes of argument behind this */
} TRANSACTION_NOTIFICATION, *PTRANSACTION_NOTIFICATION;

/* The argument of RECOVER and RECOVER_QUERY, the only ones that carry any [RM-RECOVER-02]. */
typedef struct _TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT {
    GUID EnlistmentId; /* open it with NtOpenEnlistment */
    GUID UOW;          /* its transaction */
} TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT, *PTRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT;

/* Arguments of notifications that are never delivered. */
#define TRANSACTION_NOTIFICATION_TM_ONLINE_FLAG_IS_CLUSTERED 0x1

typedef struct _TRANSACTION_NOTIFICATION_TM_ONLINE_ARGUMENT {
    GUID TmIdentity;
    ULONG Flags;
} TRANSACTION_NOTIFICATION_TM_ONLINE_ARGUMENT, *PTRANSACTION_NOTIFICATION_TM_ONLINE_ARGUMENT;

typedef struct _TRANSACTION_NOTIFICATION_SAVEPOINT_ARGUMENT {
    SAVEPOINT_ID SavepointId;
} TRANSACTION_NOTIFICATION_SAVEPOINT_ARGUMENT, *PTRANSACTION_NOTIFICATION_SAVEPOINT_ARGUMENT;

typedef struct _TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT {
    ULONG PropagationCookie;
    GUID UOW;
    GUID TmIdentity;
    ULONG BufferLength;
} TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT, *PTRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT;

typedef TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT TRANSACTION_NOTIFICATION_PROMOTE_ARGUMENT,
    *PTRANSACTION_NOTIFICATION_PROMOTE_ARGUMENT;

typedef struct _TRANSACTION_NOTIFICATION_MARSHAL_ARGUMENT {
    ULONG MarshalCookie;
    GUID UOW;
} TRANSACTION_NOTIFICATION_MARSHAL_ARGUMENT, *PTRANSACTION_NOTIFICATION_MARSHAL_ARGUMENT;

/* A resource manager's routine for notifications, registered with TmEnableCallbacks. It runs on the
 * thread whose call caused the notification, with no lock held; it may call any routine, also for
 * the same enlistment, and so may run inside itself [NOTIF-06, GEN-11]. 'EnlistmentObject' is valid
 * during the call; reference it to keep it. '*TmVirtualClock' may be raised [NOTIF-10].
 *
 * The status never takes the place of the answer owed: STATUS_SUCCESS, or STATUS_PENDING for "later
 * from another thread", leaves it owed [NOTIF-07, NOTIF-08]. A failure from PREPREPARE, PREPARE or
 * SINGLE_PHASE_COMMIT rolls the transaction back; from others it is ignored [NOTIF-09]. */
typedef NTSTATUS(NTAPI *PTM_RM_NOTIFICATION)(PKENLISTMENT EnlistmentObject, PVOID RMContext,
                                             PVOID TransactionContext,
                                             ULONG TransactionNotification,
                                             _Inout_ PLARGE_INTEGER TmVirtualClock,
                                             ULONG ArgumentLength, PVOID Argument);

/* ---- outcomes, states, information classes ---- */

/* Never changes again once it is not Undetermined [TX-QUERY-03]. */
typedef enum _TRANSACTION_OUTCOME {
    TransactionOutcomeUndetermined = 1,
    TransactionOutcomeCommitted = 2,
    TransactionOutcomeAborted = 3
} TRANSACTION_OUTCOME;

#undef TRANSACTION_STATE /* of X/Open's tx.h */
typedef enum _TRANSACTION_STATE {
    TransactionStateNormal = 1,         /* neither of the others: active, prepared, aborted too */
    TransactionStateIndoubt = 2,        /* prepared, and the superior that decides is away */
    TransactionStateCommittedNotify = 3 /* committed; some enlistments may still be owed the news */
} TRANSACTION_STATE;

typedef enum _TRANSACTION_INFORMATION_CLASS {
    TransactionBasicInformation = 0,              /* TRANSACTION_BASIC_INFORMATION */
    TransactionPropertiesInformation = 1,         /* TRANSACTION_PROPERTIES_INFORMATION; also set */
    TransactionEnlistmentInformation = 2,         /* TRANSACTION_ENLISTMENTS_INFORMATION */
    TransactionSuperiorEnlistmentInformation = 3, /* TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION */
    TransactionBindInformation = 4,               /* TRANSACTION_BIND_INFORMATION; set only */
    TransactionDTCPrivateInformation = 5          /* not supported */
} TRANSACTION_INFORMATION_CLASS;

typedef enum _TRANSACTIONMANAGER_INFORMATION_CLASS {
    TransactionManagerBasicInformation = 0,       /* TRANSACTIONMANAGER_BASIC_INFORMATION */
    TransactionManagerLogInformation = 1,         /* TRANSACTIONMANAGER_LOG_INFORMATION */
    TransactionManagerLogPathInformation = 2,     /* TRANSACTIONMANAGER_LOGPATH_INFORMATION */
    TransactionManagerOnlineProbeInformation = 3, /* set only, no data: can the log be written? */
    TransactionManagerRecoveryInformation = 4,    /* TRANSACTIONMANAGER_RECOVERY_INFORMATION */
    TransactionManagerOldestTransactionInformation = 5 /* TRANSACTIONMANAGER_OLDEST_INFORMATION */
} TRANSACTIONMANAGER_INFORMATION_CLASS;

typedef enum _RESOURCEMANAGER_INFORMATION_CLASS {
    ResourceManagerBasicInformation = 0,     /* RESOURCEMANAGER_BASIC_INFORMATION */
    ResourceManagerCompletionInformation = 1 /* RESOURCEMANAGER_COMPLETION_INFORMATION; set only */
} RESOURCEMANAGER_INFORMATION_CLASS;

typedef enum _ENLISTMENT_INFORMATION_CLASS {
    EnlistmentBasicInformation = 0,    /* ENLISTMENT_BASIC_INFORMATION */
    EnlistmentRecoveryInformation = 1, /* the RM's own bytes; also set */
    EnlistmentCrmInformation = 2       /* ENLISTMENT_CRM_INFORMATION */
} ENLISTMENT_INFORMATION_CLASS;

typedef enum _KTMOBJECT_TYPE {
    KTMOBJECT_TRANSACTION = 0,
    KTMOBJECT_TRANSACTION_MANAGER = 1,
    KTMOBJECT_RESOURCE_MANAGER = 2,
    KTMOBJECT_ENLISTMENT = 3,
    KTMOBJECT_INVALID = 4
} KTMOBJECT_TYPE,
    *PKTMOBJECT_TYPE;

/* ---- what queries give and sets take ---- */

typedef struct _TRANSACTION_BASIC_INFORMATION {
    GUID TransactionId;
    ULONG State;   /* TRANSACTION_STATE */
    ULONG Outcome; /* TRANSACTION_OUTCOME */
} TRANSACTION_BASIC_INFORMATION, *PTRANSACTION_BASIC_INFORMATION;

typedef struct _TRANSACTION_PROPERTIES_INFORMATION {
    ULONG IsolationLevel; /* must be 0 when set */
    ULONG IsolationFlags;
    LARGE_INTEGER Timeout;   /* 100 ns; negative: from when it was set, positive: at that time UTC
                              * since 1601; 0: none */
    ULONG Outcome;           /* ignored when set */
    ULONG DescriptionLength; /* bytes */
    WCHAR Description[1];    /* no terminating NUL */
} TRANSACTION_PROPERTIES_INFORMATION, *PTRANSACTION_PROPERTIES_INFORMATION;

typedef struct _TRANSACTION_ENLISTMENT_PAIR {
    GUID EnlistmentId;
    GUID ResourceManagerId;
} TRANSACTION_ENLISTMENT_PAIR, *PTRANSACTION_ENLISTMENT_PAIR;

typedef struct _TRANSACTION_ENLISTMENTS_INFORMATION {
    ULONG NumberOfEnlistments; /* that exist, also when fewer fit */
    TRANSACTION_ENLISTMENT_PAIR EnlistmentPair[1];
} TRANSACTION_ENLISTMENTS_INFORMATION, *PTRANSACTION_ENLISTMENTS_INFORMATION;

typedef struct _TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION {
    TRANSACTION_ENLISTMENT_PAIR SuperiorEnlistmentPair;
} TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION, *PTRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION;

typedef struct _TRANSACTION_BIND_INFORMATION {
    HANDLE TmHandle;
} TRANSACTION_BIND_INFORMATION, *PTRANSACTION_BIND_INFORMATION;

typedef struct _TRANSACTIONMANAGER_BASIC_INFORMATION {
    GUID TmIdentity;
    LARGE_INTEGER VirtualClock;
} TRANSACTIONMANAGER_BASIC_INFORMATION, *PTRANSACTIONMANAGER_BASIC_INFORMATION;

typedef struct _TRANSACTIONMANAGER_LOG_INFORMATION {
    GUID LogIdentity;
} TRANSACTIONMANAGER_LOG_INFORMATION, *PTRANSACTIONMANAGER_LOG_INFORMATION;

typedef struct _TRANSACTIONMANAGER_LOGPATH_INFORMATION {
    ULONG LogPathLength; /* bytes */
    WCHAR LogPath[1];    /* no terminating NUL */
} TRANSACTIONMANAGER_LOGPATH_INFORMATION, *PTRANSACTIONMANAGER_LOGPATH_INFORMATION;

typedef struct _TRANSACTIONMANAGER_RECOVERY_INFORMATION {
    ULONGLONG LastRecoveredLsn; /* CLFS_LSN of the last record the latest recovery read */
} TRANSACTIONMANAGER_RECOVERY_INFORMATION, *PTRANSACTIONMANAGER_RECOVERY_INFORMATION;

typedef struct _TRANSACTIONMANAGER_OLDEST_INFORMATION {
    GUID OldestTransactionGuid; /* of those that pin the log; zero: none */
} TRANSACTIONMANAGER_OLDEST_INFORMATION, *PTRANSACTIONMANAGER_OLDEST_INFORMATION;

typedef struct _RESOURCEMANAGER_BASIC_INFORMATION {
    GUID ResourceManagerId;
    ULONG DescriptionLength; /* bytes */
    WCHAR Description[1];    /* no terminating NUL; at offset 20 */
} RESOURCEMANAGER_BASIC_INFORMATION, *PRESOURCEMANAGER_BASIC_INFORMATION;

typedef struct _RESOURCEMANAGER_COMPLETION_INFORMATION {
    HANDLE IoCompletionPortHandle; /* NULL: no longer any */
    ULONG_PTR CompletionKey;
} RESOURCEMANAGER_COMPLETION_INFORMATION, *PRESOURCEMANAGER_COMPLETION_INFORMATION;

typedef struct _ENLISTMENT_BASIC_INFORMATION {
    GUID EnlistmentId;
    GUID TransactionId;
    GUID ResourceManagerId;
} ENLISTMENT_BASIC_INFORMATION, *PENLISTMENT_BASIC_INFORMATION;

/* The far end of an enlistment that links a branch under another TM. */
typedef struct _ENLISTMENT_CRM_INFORMATION {
    GUID CrmTransactionManagerId;
    GUID CrmResourceManagerId;
    GUID CrmEnlistmentId;
} ENLISTMENT_CRM_INFORMATION, *PENLISTMENT_CRM_INFORMATION;

/* Where an enumeration stands, and what its last step gave. All zero before the first step; the
 * buffer may hold more than one GUID: 20 + 16 n bytes for n [ENUM-01]. */
typedef struct _KTMOBJECT_CURSOR {
    GUID LastQuery;
    ULONG ObjectIdCount; /* GUIDs given by the last step */
    GUID ObjectIds[1];
} KTMOBJECT_CURSOR, *PKTMOBJECT_CURSOR;

/* Defined by Windows, used by no documented routine. */
typedef struct _TRANSACTION_LIST_ENTRY {
    GUID UOW;
} TRANSACTION_LIST_ENTRY, *PTRANSACTION_LIST_ENTRY;

typedef struct _TRANSACTION_LIST_INFORMATION {
    ULONG NumberOfTransactions;
    TRANSACTION_LIST_ENTRY TransactionInformation[1];
} TRANSACTION_LIST_INFORMATION, *PTRANSACTION_LIST_INFORMATION;

typedef struct _KCRM_MARSHAL_HEADER {
    ULONG VersionMajor;
    ULONG VersionMinor;
    ULONG NumProtocols;
    ULONG Unused;
} KCRM_MARSHAL_HEADER, *PKCRM_MARSHAL_HEADER, *__restrict PRKCRM_MARSHAL_HEADER;

typedef struct _KCRM_TRANSACTION_BLOB {
    GUID UOW;
    GUID TmIdentity;
    ULONG IsolationLevel;
    ULONG IsolationFlags;
    ULONG Timeout;
    WCHAR Description[MAX_TRANSACTION_DESCRIPTION_LENGTH];
} KCRM_TRANSACTION_BLOB, *PKCRM_TRANSACTION_BLOB, *__restrict PRKCRM_TRANSACTION_BLOB;

typedef struct _KCRM_PROTOCOL_BLOB {
    CRM_PROTOCOL_ID ProtocolId;
    ULONG StaticInfoLength;
    ULONG TransactionIdInfoLength;
    ULONG Unused1;
    ULONG Unused2;
} KCRM_PROTOCOL_BLOB, *PKCRM_PROTOCOL_BLOB, *__restrict PRKCRM_PROTOCOL_BLOB;

/* ---- object paths ---- */

#define TRANSACTIONMANAGER_OBJECT_PATH KTM_WIDE("\\TransactionManager\\")
#define TRANSACTION_OBJECT_PATH        KTM_WIDE("\\Transaction\\")
#define ENLISTMENT_OBJECT_PATH         KTM_WIDE("\\Enlistment\\")
#define RESOURCE_MANAGER_OBJECT_PATH   KTM_WIDE("\\ResourceManager\\")

/* Bytes of such a path, a GUID in braces (38 WCHARs) and a NUL. */
#define TRANSACTIONMANAGER_OBJECT_NAME_LENGTH_IN_BYTES                                             \
    (sizeof(TRANSACTIONMANAGER_OBJECT_PATH) + 38 * sizeof(WCHAR))
#define TRANSACTION_OBJECT_NAME_LENGTH_IN_BYTES                                                    \
    (sizeof(TRANSACTION_OBJECT_PATH) + 38 * sizeof(WCHAR))
#define ENLISTMENT_OBJECT_NAME_LENGTH_IN_BYTES (sizeof(ENLISTMENT_OBJECT_PATH) + 38 * sizeof(WCHAR))
#define RESOURCE_MANAGER_OBJECT_NAME_LENGTH_IN_BYTES                                               \
    (sizeof(RESOURCE_MANAGER_OBJECT_PATH) + 38 * sizeof(WCHAR))

/* ---- access rights: what each permits; the GENERIC_ rows are what GENERIC_READ and its like map
 * to [OBJ-12], ALL_ACCESS is what may be asked for ---- */

#define TRANSACTIONMANAGER_QUERY_INFORMATION 0x00001 /* query, enumerate; create or open TX */
#define TRANSACTIONMANAGER_SET_INFORMATION   0x00002
#define TRANSACTIONMANAGER_RECOVER           0x00004 /* recover, roll forward */
#define TRANSACTIONMANAGER_RENAME            0x00008 /* not used */
#define TRANSACTIONMANAGER_CREATE_RM         0x00010
#define TRANSACTIONMANAGER_BIND_TRANSACTION  0x00020
#define TRANSACTIONMANAGER_GENERIC_READ                                                            \
    (STANDARD_RIGHTS_READ | TRANSACTIONMANAGER_QUERY_INFORMATION)
#define TRANSACTIONMANAGER_GENERIC_WRITE                                                           \
    (STANDARD_RIGHTS_WRITE | TRANSACTIONMANAGER_SET_INFORMATION | TRANSACTIONMANAGER_RECOVER |     \
     TRANSACTIONMANAGER_RENAME | TRANSACTIONMANAGER_CREATE_RM)
#define TRANSACTIONMANAGER_GENERIC_EXECUTE STANDARD_RIGHTS_EXECUTE
#define TRANSACTIONMANAGER_ALL_ACCESS                                                              \
    (STANDARD_RIGHTS_REQUIRED | TRANSACTIONMANAGER_GENERIC_READ |                                  \
     TRANSACTIONMANAGER_GENERIC_WRITE | TRANSACTIONMANAGER_GENERIC_EXECUTE |                       \
     TRANSACTIONMANAGER_BIND_TRANSACTION)

#define TRANSACTION_QUERY_INFORMATION 0x00001
#define TRANSACTION_SET_INFORMATION   0x00002
#define TRANSACTION_ENLIST            0x00004
#define TRANSACTION_COMMIT            0x00008
#define TRANSACTION_ROLLBACK          0x00010
#define TRANSACTION_PROPAGATE         0x00020
#define TRANSACTION_RIGHT_RESERVED1   0x00040
#define TRANSACTION_GENERIC_READ                                                                   \
    (STANDARD_RIGHTS_READ | TRANSACTION_QUERY_INFORMATION | SYNCHRONIZE)
#define TRANSACTION_GENERIC_WRITE                                                                  \
    (STANDARD_RIGHTS_WRITE | TRANSACTION_SET_INFORMATION | TRANSACTION_COMMIT |                    \
     TRANSACTION_ENLIST | TRANSACTION_ROLLBACK | TRANSACTION_PROPAGATE | SYNCHRONIZE)
#define TRANSACTION_GENERIC_EXECUTE                                                                \
    (STANDARD_RIGHTS_EXECUTE | TRANSACTION_COMMIT | TRANSACTION_ROLLBACK | SYNCHRONIZE)
#define TRANSACTION_ALL_ACCESS                                                                     \
    (STANDARD_RIGHTS_REQUIRED | TRANSACTION_GENERIC_READ | TRANSACTION_GENERIC_WRITE |             \
     TRANSACTION_GENERIC_EXECUTE)
/* What a resource manager needs: all but COMMIT. */
#define TRANSACTION_RESOURCE_MANAGER_RIGHTS                                                        \
    (TRANSACTION_GENERIC_READ | STANDARD_RIGHTS_WRITE | TRANSACTION_SET_INFORMATION |              \
     TRANSACTION_ENLIST | TRANSACTION_ROLLBACK | TRANSACTION_PROPAGATE | SYNCHRONIZE)

#define RESOURCEMANAGER_QUERY_INFORMATION    0x00001 /* query, enumerate; open EN */
#define RESOURCEMANAGER_SET_INFORMATION      0x00002 /* completion port */
#define RESOURCEMANAGER_RECOVER              0x00004
#define RESOURCEMANAGER_ENLIST               0x00008
#define RESOURCEMANAGER_GET_NOTIFICATION     0x00010
#define RESOURCEMANAGER_REGISTER_PROTOCOL    0x00020
#define RESOURCEMANAGER_COMPLETE_PROPAGATION 0x00040
#define RESOURCEMANAGER_GENERIC_READ                                                               \
    (STANDARD_RIGHTS_READ | RESOURCEMANAGER_QUERY_INFORMATION | SYNCHRONIZE)
#define RESOURCEMANAGER_GENERIC_WRITE                                                              \
    (STANDARD_RIGHTS_WRITE | RESOURCEMANAGER_SET_INFORMATION | RESOURCEMANAGER_RECOVER |           \
     RESOURCEMANAGER_ENLIST | RESOURCEMANAGER_GET_NOTIFICATION |                                   \
     RESOURCEMANAGER_REGISTER_PROTOCOL | RESOURCEMANAGER_COMPLETE_PROPAGATION | SYNCHRONIZE)
#define RESOURCEMANAGER_GENERIC_EXECUTE                                                            \
    (STANDARD_RIGHTS_EXECUTE | RESOURCEMANAGER_RECOVER | RESOURCEMANAGER_ENLIST |                  \
     RESOURCEMANAGER_GET_NOTIFICATION | RESOURCEMANAGER_COMPLETE_PROPAGATION | SYNCHRONIZE)
#define RESOURCEMANAGER_ALL_ACCESS                                                                 \
    (STANDARD_RIGHTS_REQUIRED | RESOURCEMANAGER_GENERIC_READ | RESOURCEMANAGER_GENERIC_WRITE |     \
     RESOURCEMANAGER_GENERIC_EXECUTE)

#define ENLISTMENT_QUERY_INFORMATION  0x00001
#define ENLISTMENT_SET_INFORMATION    0x00002
#define ENLISTMENT_RECOVER            0x00004
#define ENLISTMENT_SUBORDINATE_RIGHTS 0x00008 /* answers; also RollbackEnlistment */
#define ENLISTMENT_SUPERIOR_RIGHTS    0x00010 /* PrePrepare-, Prepare- and CommitEnlistment */
#define ENLISTMENT_GENERIC_READ       (STANDARD_RIGHTS_READ | ENLISTMENT_QUERY_INFORMATION)
#define ENLISTMENT_GENERIC_WRITE                                                                   \
    (STANDARD_RIGHTS_WRITE | ENLISTMENT_SET_INFORMATION | ENLISTMENT_RECOVER |                     \
     ENLISTMENT_SUBORDINATE_RIGHTS | ENLISTMENT_SUPERIOR_RIGHTS)
#define ENLISTMENT_GENERIC_EXECUTE                                                                 \
    (STANDARD_RIGHTS_EXECUTE | ENLISTMENT_RECOVER | ENLISTMENT_SUBORDINATE_RIGHTS |                \
     ENLISTMENT_SUPERIOR_RIGHTS)
#define ENLISTMENT_ALL_ACCESS                                                                      \
    (STANDARD_RIGHTS_REQUIRED | ENLISTMENT_GENERIC_READ | ENLISTMENT_GENERIC_WRITE |               \
     ENLISTMENT_GENERIC_EXECUTE)

EXTERN_C_END

/* ---- proof of the layouts [docs/spec/ktm-types.md section 2] ---- */

C_ASSERT(sizeof(TRANSACTION_NOTIFICATION) == 32);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION, TransactionNotification) == 8);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION, TmVirtualClock) == 16);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION, ArgumentLength) == 24);
C_ASSERT(sizeof(TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT) == 32);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT, UOW) == 16);
C_ASSERT(sizeof(TRANSACTION_NOTIFICATION_TM_ONLINE_ARGUMENT) == 20);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION_TM_ONLINE_ARGUMENT, Flags) == 16);
C_ASSERT(sizeof(TRANSACTION_NOTIFICATION_SAVEPOINT_ARGUMENT) == 4);
C_ASSERT(sizeof(TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT) == 40);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT, UOW) == 4);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT, TmIdentity) == 20);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION_PROPAGATE_ARGUMENT, BufferLength) == 36);
C_ASSERT(sizeof(TRANSACTION_NOTIFICATION_PROMOTE_ARGUMENT) == 40);
C_ASSERT(sizeof(TRANSACTION_NOTIFICATION_MARSHAL_ARGUMENT) == 20);
C_ASSERT(offsetof(TRANSACTION_NOTIFICATION_MARSHAL_ARGUMENT, UOW) == 4);

C_ASSERT(sizeof(TRANSACTION_BASIC_INFORMATION) == 24);
C_ASSERT(offsetof(TRANSACTION_BASIC_INFORMATION, State) == 16);
C_ASSERT(offsetof(TRANSACTION_BASIC_INFORMATION, Outcome) == 20);
C_ASSERT(sizeof(TRANSACTION_PROPERTIES_INFORMATION) == 32);
C_ASSERT(offsetof(TRANSACTION_PROPERTIES_INFORMATION, IsolationFlags) == 4);
C_ASSERT(offsetof(TRANSACTION_PROPERTIES_INFORMATION, Timeout) == 8);
C_ASSERT(offsetof(TRANSACTION_PROPERTIES_INFORMATION, Outcome) == 16);
C_ASSERT(offsetof(TRANSACTION_PROPERTIES_INFORMATION, DescriptionLength) == 20);
C_ASSERT(offsetof(TRANSACTION_PROPERTIES_INFORMATION, Description) == 24);
C_ASSERT(sizeof(TRANSACTION_ENLISTMENT_PAIR) == 32);
C_ASSERT(offsetof(TRANSACTION_ENLISTMENT_PAIR, ResourceManagerId) == 16);
C_ASSERT(sizeof(TRANSACTION_ENLISTMENTS_INFORMATION) == 36);
C_ASSERT(offsetof(TRANSACTION_ENLISTMENTS_INFORMATION, EnlistmentPair) == 4);
C_ASSERT(sizeof(TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION) == 32);
C_ASSERT(sizeof(TRANSACTION_BIND_INFORMATION) == 8);
C_ASSERT(sizeof(TRANSACTIONMANAGER_BASIC_INFORMATION) == 24);
C_ASSERT(offsetof(TRANSACTIONMANAGER_BASIC_INFORMATION, VirtualClock) == 16);
C_ASSERT(sizeof(TRANSACTIONMANAGER_LOG_INFORMATION) == 16);
C_ASSERT(sizeof(TRANSACTIONMANAGER_LOGPATH_INFORMATION) == 8);
C_ASSERT(offsetof(TRANSACTIONMANAGER_LOGPATH_INFORMATION, LogPath) == 4);
C_ASSERT(sizeof(TRANSACTIONMANAGER_RECOVERY_INFORMATION) == 8);
C_ASSERT(sizeof(TRANSACTIONMANAGER_OLDEST_INFORMATION) == 16);
C_ASSERT(sizeof(RESOURCEMANAGER_BASIC_INFORMATION) == 24);
C_ASSERT(offsetof(RESOURCEMANAGER_BASIC_INFORMATION, DescriptionLength) == 16);
C_ASSERT(offsetof(RESOURCEMANAGER_BASIC_INFORMATION, Description) == 20);
C_ASSERT(sizeof(RESOURCEMANAGER_COMPLETION_INFORMATION) == 16);
C_ASSERT(offsetof(RESOURCEMANAGER_COMPLETION_INFORMATION, CompletionKey) == 8);
C_ASSERT(sizeof(ENLISTMENT_BASIC_INFORMATION) == 48);
C_ASSERT(offsetof(ENLISTMENT_BASIC_INFORMATION, TransactionId) == 16);
C_ASSERT(offsetof(ENLISTMENT_BASIC_INFORMATION, ResourceManagerId) == 32);
C_ASSERT(sizeof(ENLISTMENT_CRM_INFORMATION) == 48);
C_ASSERT(offsetof(ENLISTMENT_CRM_INFORMATION, CrmResourceManagerId) == 16);
C_ASSERT(offsetof(ENLISTMENT_CRM_INFORMATION, CrmEnlistmentId) == 32);
C_ASSERT(sizeof(KTMOBJECT_CURSOR) == 36);
C_ASSERT(offsetof(KTMOBJECT_CURSOR, ObjectIdCount) == 16);
C_ASSERT(offsetof(KTMOBJECT_CURSOR, ObjectIds) == 20);
C_ASSERT(sizeof(TRANSACTION_LIST_ENTRY) == 16);
C_ASSERT(sizeof(TRANSACTION_LIST_INFORMATION) == 20);
C_ASSERT(offsetof(TRANSACTION_LIST_INFORMATION, TransactionInformation) == 4);

C_ASSERT(sizeof(KCRM_MARSHAL_HEADER) == 16);
C_ASSERT(sizeof(KCRM_TRANSACTION_BLOB) == 172);
C_ASSERT(offsetof(KCRM_TRANSACTION_BLOB, TmIdentity) == 16);
C_ASSERT(offsetof(KCRM_TRANSACTION_BLOB, IsolationLevel) == 32);
C_ASSERT(offsetof(KCRM_TRANSACTION_BLOB, Timeout) == 40);
C_ASSERT(offsetof(KCRM_TRANSACTION_BLOB, Description) == 44);
C_ASSERT(sizeof(KCRM_PROTOCOL_BLOB) == 32);
C_ASSERT(offsetof(KCRM_PROTOCOL_BLOB, StaticInfoLength) == 16);

C_ASSERT(sizeof(TRANSACTION_OUTCOME) == 4 && sizeof(TRANSACTION_STATE) == 4);
C_ASSERT(sizeof(TRANSACTION_INFORMATION_CLASS) == 4 && sizeof(KTMOBJECT_TYPE) == 4);
C_ASSERT(sizeof(TRANSACTIONMANAGER_OBJECT_PATH) == 42);
C_ASSERT(TRANSACTIONMANAGER_OBJECT_NAME_LENGTH_IN_BYTES == 118);
C_ASSERT(TRANSACTION_OBJECT_NAME_LENGTH_IN_BYTES == 104);
C_ASSERT(ENLISTMENT_OBJECT_NAME_LENGTH_IN_BYTES == 102);
C_ASSERT(RESOURCE_MANAGER_OBJECT_NAME_LENGTH_IN_BYTES == 112);
C_ASSERT(TRANSACTIONMANAGER_ALL_ACCESS == 0xF003F && TRANSACTION_ALL_ACCESS == 0x1F003F);
C_ASSERT(RESOURCEMANAGER_ALL_ACCESS == 0x1F007F && ENLISTMENT_ALL_ACCESS == 0xF001F);
