/* SPDX-License-Identifier: MIT */
/*
 * What the kernel headers of mingw-w64 lack and those of the Windows driver kit have: object
 * pointers and Tm routines of the transaction manager. Included before examples/rm_kernel.c, so
 * that the example itself is what one compiles with either.
 */
#pragma once
#include <ntifs.h>
#include <ktmtypes.h>

typedef struct _KENLISTMENT *PKENLISTMENT;
typedef struct _KRESOURCEMANAGER *PKRESOURCEMANAGER;
typedef struct _KTRANSACTION *PKTRANSACTION;

typedef NTSTATUS(NTAPI *PTM_RM_NOTIFICATION)(PKENLISTMENT EnlistmentObject, PVOID RMContext,
                                             PVOID TransactionContext,
                                             ULONG TransactionNotification,
                                             PLARGE_INTEGER TmVirtualClock, ULONG ArgumentLength,
                                             PVOID Argument);

NTKERNELAPI NTSTATUS NTAPI TmEnableCallbacks(PKRESOURCEMANAGER ResourceManager,
                                             PTM_RM_NOTIFICATION CallbackRoutine, PVOID RMKey);
NTKERNELAPI NTSTATUS NTAPI TmRecoverResourceManager(PKRESOURCEMANAGER ResourceManager);
NTKERNELAPI NTSTATUS NTAPI
TmCreateEnlistment(PHANDLE EnlistmentHandle, KPROCESSOR_MODE PreviousMode,
                   ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                   PKRESOURCEMANAGER ResourceManager, PKTRANSACTION Transaction,
                   ULONG CreateOptions, NOTIFICATION_MASK NotificationMask, PVOID EnlistmentKey);
NTKERNELAPI NTSTATUS NTAPI TmRecoverEnlistment(PKENLISTMENT Enlistment, PVOID EnlistmentKey);
NTKERNELAPI NTSTATUS NTAPI TmRollbackEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock);
NTKERNELAPI NTSTATUS NTAPI TmPrePrepareComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock);
NTKERNELAPI NTSTATUS NTAPI TmPrepareComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock);
NTKERNELAPI NTSTATUS NTAPI TmCommitComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock);
NTKERNELAPI NTSTATUS NTAPI TmRollbackComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock);
NTKERNELAPI VOID NTAPI TmGetTransactionId(PKTRANSACTION Transaction, GUID *TransactionId);
