/* SPDX-License-Identifier: MIT */
/*
 * Routines that are declared and not here yet: removing containers, scans and names of containers,
 * reset, management. They say so with STATUS_NOT_SUPPORTED and change nothing; the library keeps
 * their names so that programs link.
 */
#include "nt/clfs_object.h"

NTSTATUS NTAPI
ClfsCloseAndResetLogFile(PLOG_FILE_OBJECT plfoLog)
{
    (void)plfoLog; /* it stays open */
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsRemoveLogContainer(PLOG_FILE_OBJECT plfoLog, PUNICODE_STRING puszContainerPath, BOOLEAN fForce)
{
    (void)plfoLog, (void)puszContainerPath, (void)fForce;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsRemoveLogContainerSet(PLOG_FILE_OBJECT plfoLog, USHORT cContainers,
                          PUNICODE_STRING rgwszContainerPath, BOOLEAN fForce)
{
    (void)plfoLog, (void)cContainers, (void)rgwszContainerPath, (void)fForce;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsCreateScanContext(PLOG_FILE_OBJECT plfoLog, ULONG cFromContainer, ULONG cContainers,
                      CLFS_SCAN_MODE eScanMode, PCLFS_SCAN_CONTEXT pcxScan)
{
    (void)plfoLog, (void)cFromContainer, (void)cContainers, (void)eScanMode, (void)pcxScan;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsScanLogContainers(PCLFS_SCAN_CONTEXT pcxScan, CLFS_SCAN_MODE eScanMode)
{
    (void)pcxScan, (void)eScanMode;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsGetContainerName(PLOG_FILE_OBJECT plfoLog, CLFS_CONTAINER_ID cidLogicalContainer,
                     PUNICODE_STRING puszContainerName, PULONG pcActualLenContainerName)
{
    (void)plfoLog, (void)cidLogicalContainer, (void)puszContainerName;
    (void)pcActualLenContainerName;
    return status_raise(STATUS_NOT_SUPPORTED);
}

/* Every log is ephemeral as yet, so the answer is the documented one [CLFS-ARCH-05]. */
NTSTATUS NTAPI
ClfsSetArchiveTail(PLOG_FILE_OBJECT plfoLog, PCLFS_LSN plsnArchiveTail)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;

    if (!plsnArchiveTail)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    TRY(clfs_access_check(clfs_file(object)->access, CLFS_ACCESS_WRITE));
    return status_raise(STATUS_LOG_EPHEMERAL);
}

/* For good, not only as yet [CLFS-TRUNC-01, -02]. */
NTSTATUS NTAPI
ClfsSetEndOfLog(PLOG_FILE_OBJECT plfoLog, PCLFS_LSN plsnEnd)
{
    (void)plfoLog, (void)plsnEnd;
    return status_raise(STATUS_NOT_SUPPORTED);
}

/* ---- management ---- */

NTSTATUS NTAPI
ClfsMgmtInstallPolicy(PLOG_FILE_OBJECT LogFile, PCLFS_MGMT_POLICY Policy, ULONG PolicyLength)
{
    (void)LogFile, (void)Policy, (void)PolicyLength;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtQueryPolicy(PLOG_FILE_OBJECT LogFile, CLFS_MGMT_POLICY_TYPE PolicyType,
                    PCLFS_MGMT_POLICY Policy, PULONG PolicyLength)
{
    (void)LogFile, (void)PolicyType, (void)Policy, (void)PolicyLength;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtRemovePolicy(PLOG_FILE_OBJECT LogFile, CLFS_MGMT_POLICY_TYPE PolicyType)
{
    (void)LogFile, (void)PolicyType;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtRegisterManagedClient(PLOG_FILE_OBJECT LogFile,
                              PCLFS_MGMT_CLIENT_REGISTRATION RegistrationData,
                              PCLFS_MGMT_CLIENT ClientCookie)
{
    (void)LogFile, (void)RegistrationData, (void)ClientCookie;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtDeregisterManagedClient(CLFS_MGMT_CLIENT ClientCookie)
{
    (void)ClientCookie;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtHandleLogFileFull(CLFS_MGMT_CLIENT Client)
{
    (void)Client;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtTailAdvanceFailure(CLFS_MGMT_CLIENT Client, NTSTATUS Reason)
{
    (void)Client, (void)Reason;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtSetLogFileSize(PLOG_FILE_OBJECT LogFile, PULONGLONG NewSizeInContainers,
                       PULONGLONG ResultingSizeInContainers,
                       PCLFS_SET_LOG_SIZE_COMPLETE_CALLBACK CompletionRoutine,
                       PVOID CompletionRoutineData)
{
    (void)LogFile, (void)NewSizeInContainers, (void)ResultingSizeInContainers;
    (void)CompletionRoutine, (void)CompletionRoutineData;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS NTAPI
ClfsMgmtSetLogFileSizeAsClient(PLOG_FILE_OBJECT LogFile, PCLFS_MGMT_CLIENT ClientCookie,
                               PULONGLONG NewSizeInContainers, PULONGLONG ResultingSizeInContainers,
                               PCLFS_SET_LOG_SIZE_COMPLETE_CALLBACK CompletionRoutine,
                               PVOID CompletionRoutineData)
{
    (void)LogFile, (void)ClientCookie, (void)NewSizeInContainers;
    (void)ResultingSizeInContainers, (void)CompletionRoutine, (void)CompletionRoutineData;
    return status_raise(STATUS_NOT_SUPPORTED);
}
