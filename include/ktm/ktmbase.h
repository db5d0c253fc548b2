/* SPDX-License-Identifier: MIT */
/*
 * The words every other header here is written in: base types, calling-convention and annotation
 * words, GUID, counted strings, object attributes, standard access rights.
 *
 * Windows is LLP64 and Linux is LP64, so no type here is built on 'long': each has the width it has
 * on Windows [docs/spec/ktm-types.md section 1]. A WCHAR is a 16-bit UTF-16 code unit: char16_t, or
 * wchar_t when the program is compiled with -fshort-wchar. The two are one ABI, so programs of both
 * kinds use the same library. Write literals as KTM_WIDE("text").
 *
 * Programs include wdm.h (Nt, Tm and Clfs routines) or windows.h, ktmw32.h, clfsw32.h (Win32
 * names); they include this one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#if !defined(__cplusplus) && __SIZEOF_WCHAR_T__ != 2
#include <uchar.h>
#endif

#include "ntstatus.h"

/* ---- words that mean something to a Windows compiler only ------------------------------------ */

#define NTAPI
#define WINAPI
#define CALLBACK
#define APIENTRY
#define CDECL

#define IN
#define OUT
#define OPTIONAL

#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _In_reads_(n)
#define _In_reads_opt_(n)
#define _In_reads_bytes_(n)
#define _In_reads_bytes_opt_(n)
#define _Out_
#define _Out_opt_
#define _Out_writes_(n)
#define _Out_writes_opt_(n)
#define _Out_writes_to_(n, m)
#define _Out_writes_bytes_(n)
#define _Out_writes_bytes_opt_(n)
#define _Out_writes_bytes_to_(n, m)
#define _Out_writes_bytes_to_opt_(n, m)
#define _Outptr_
#define _Outptr_opt_
#define _Outptr_result_maybenull_
#define _Inout_
#define _Inout_opt_
#define _Inout_updates_(n)
#define _Inout_updates_bytes_(n)
#define _Reserved_
#define _Pre_notnull_
#define _Must_inspect_result_
#define _Check_return_
#define _Success_(condition)
#define _When_(condition, annotations)
#define _Use_decl_annotations_
#define _Function_class_(name)
#define _Ret_maybenull_
#define _IRQL_requires_(level)
#define _IRQL_requires_max_(level)
#define _IRQL_requires_same_

/* What the library exports; everything else in it is hidden (design D15). */
#define KTM_API __attribute__((visibility("default")))

#define NTSYSAPI     KTM_API
#define NTSYSCALLAPI KTM_API
#define NTKERNELAPI  KTM_API
#define WINBASEAPI   KTM_API

#ifdef __cplusplus
#define EXTERN_C       extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END   }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

#define CONST const
#define VOID  void

#define RtlZeroMemory(destination, size)         __builtin_memset((destination), 0, (size))
#define RtlCopyMemory(destination, source, size) __builtin_memcpy((destination), (source), (size))

#define FORCEINLINE static inline __attribute__((always_inline, unused))

#define UNREFERENCED_PARAMETER(p) ((void)(p))
#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define CONTAINING_RECORD(address, type, field)                                                    \
    ((type *)(void *)((char *)(address)-offsetof(type, field)))
#ifndef ARRAYSIZE
#define ARRAYSIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#ifdef __cplusplus
#define KTM_STATIC_ASSERT(fact, text) static_assert(fact, text)
#else
#define KTM_STATIC_ASSERT(fact, text) _Static_assert(fact, text)
#endif
#define C_ASSERT(fact) KTM_STATIC_ASSERT(fact, #fact)

EXTERN_C_START

/* ---- numbers ---- */

typedef char CHAR, *PCHAR, *PSTR, *LPSTR;
typedef const char *PCSTR, *LPCSTR;
typedef signed char CCHAR;
typedef uint8_t UCHAR, *PUCHAR, BYTE, *PBYTE, *LPBYTE;
typedef int16_t SHORT, *PSHORT;
typedef uint16_t USHORT, *PUSHORT, WORD, *PWORD, *LPWORD;
typedef int32_t INT, *PINT, *LPINT, LONG, *PLONG, *LPLONG;
typedef uint32_t UINT, *PUINT, ULONG, *PULONG, DWORD, *PDWORD, *LPDWORD;
typedef int64_t LONGLONG, *PLONGLONG;
typedef uint64_t ULONGLONG, *PULONGLONG, DWORDLONG, *PDWORDLONG;

typedef int8_t INT8, *PINT8;
typedef int16_t INT16, *PINT16;
typedef int32_t INT32, *PINT32, LONG32, *PLONG32;
typedef int64_t INT64, *PINT64, LONG64, *PLONG64;
typedef uint8_t UINT8, *PUINT8;
typedef uint16_t UINT16, *PUINT16;
typedef uint32_t UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32, *PDWORD32;
typedef uint64_t UINT64, *PUINT64, ULONG64, *PULONG64, DWORD64, *PDWORD64;

typedef intptr_t INT_PTR, *PINT_PTR, LONG_PTR, *PLONG_PTR;
typedef uintptr_t UINT_PTR, *PUINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR, *PDWORD_PTR;
typedef size_t SIZE_T, *PSIZE_T;
typedef intptr_t SSIZE_T, *PSSIZE_T;

/* One byte; any value but 0 is TRUE. */
typedef uint8_t BOOLEAN, *PBOOLEAN;
/* Four bytes; what the Win32 functions return. */
typedef int32_t BOOL, *PBOOL, *LPBOOL, WINBOOL, *PWINBOOL, *LPWINBOOL;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

#define MAXUSHORT 0xffff
#define MAXLONG   0x7fffffff
#define MAXULONG  0xffffffffu
#define MAXDWORD  0xffffffffu

typedef void *PVOID, *LPVOID;
typedef const void *PCVOID, *LPCVOID;

/* A 64-bit number and its two halves. QuadPart is signed; LowPart is not, HighPart is. */
typedef union _LARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        LONG HighPart;
    };
    struct {
        DWORD LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        DWORD HighPart;
    };
    struct {
        DWORD LowPart;
        DWORD HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

/* 100 ns steps since 1601-01-01 00:00 UTC, in two halves. */
typedef struct _FILETIME {
    DWORD dwLowDateTime;
    DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

/* ---- text ---- */

#if __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#define KTM_WIDE_(s) L##s
#else
typedef char16_t WCHAR;
#define KTM_WIDE_(s) u##s
#endif
/* A UTF-16 string literal of WCHAR: KTM_WIDE("log:app"). */
#define KTM_WIDE(s) KTM_WIDE_(s)

typedef WCHAR *PWCHAR, *PWSTR, *LPWSTR;
typedef const WCHAR *PCWCHAR, *PCWSTR, *LPCWSTR;

/* Counted UTF-16. Both lengths are in bytes; no terminating NUL is required or counted. */
typedef struct _UNICODE_STRING {
    USHORT Length;        /* bytes of text in Buffer */
    USHORT MaximumLength; /* bytes that Buffer can hold */
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

/* An initialiser for a UNICODE_STRING from a literal: RTL_CONSTANT_STRING(KTM_WIDE("text")). */
#define RTL_CONSTANT_STRING(s)                                                                     \
    {                                                                                              \
        sizeof(s) - sizeof((s)[0]), sizeof(s), (PWSTR)(s)                                          \
    }

/* ---- GUID ---- */

#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID {
    ULONG Data1;
    USHORT Data2;
    USHORT Data3;
    UCHAR Data4[8];
} GUID;
#endif
typedef GUID *PGUID, *LPGUID, UUID, *PUUID, *LPUUID, IID, CLSID;
typedef const GUID *LPCGUID;

#ifdef __cplusplus
EXTERN_C_END
#define REFGUID const GUID &
static inline int
IsEqualGUID(const GUID &a, const GUID &b)
{
    return !__builtin_memcmp(&a, &b, sizeof(GUID));
}
EXTERN_C_START
#else
#define REFGUID           const GUID *
#define IsEqualGUID(a, b) (!__builtin_memcmp((a), (b), sizeof(GUID)))
#endif

/* Defines a constant GUID of one source file. */
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)                               \
    static const GUID name __attribute__((unused)) = {l, w1, w2, {b1, b2, b3, b4, b5, b6, b7, b8}}

/* ---- objects ---- */

/* An index and a generation, opaque; NULL is never a valid handle [GEN-04]. */
typedef void *HANDLE, **PHANDLE, **LPHANDLE;
#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)

typedef ULONG ACCESS_MASK, *PACCESS_MASK;

#define DELETE                   0x00010000
#define READ_CONTROL             0x00020000
#define WRITE_DAC                0x00040000
#define WRITE_OWNER              0x00080000
#define SYNCHRONIZE              0x00100000
#define STANDARD_RIGHTS_REQUIRED 0x000F0000
#define STANDARD_RIGHTS_READ     READ_CONTROL
#define STANDARD_RIGHTS_WRITE    READ_CONTROL
#define STANDARD_RIGHTS_EXECUTE  READ_CONTROL
#define STANDARD_RIGHTS_ALL      0x001F0000
#define SPECIFIC_RIGHTS_ALL      0x0000FFFF
#define ACCESS_SYSTEM_SECURITY   0x01000000
#define MAXIMUM_ALLOWED          0x02000000
#define GENERIC_ALL              0x10000000
#define GENERIC_EXECUTE          0x20000000
#define GENERIC_WRITE            0x40000000
#define GENERIC_READ             0x80000000u

/* For whom a routine acts; no difference in user space. */
typedef CCHAR KPROCESSOR_MODE;
typedef enum _MODE { KernelMode = 0, UserMode = 1, MaximumMode = 2 } MODE;

typedef struct _GENERIC_MAPPING {
    ACCESS_MASK GenericRead;
    ACCESS_MASK GenericWrite;
    ACCESS_MASK GenericExecute;
    ACCESS_MASK GenericAll;
} GENERIC_MAPPING, *PGENERIC_MAPPING;

/* What Windows says about opening, for CLFS and the Win32 functions. */
#define FILE_SHARE_READ   0x00000001
#define FILE_SHARE_WRITE  0x00000002
#define FILE_SHARE_DELETE 0x00000004

#define CREATE_NEW    1 /* create; fail when it exists */
#define OPEN_EXISTING 3 /* open; fail when it does not exist */
#define OPEN_ALWAYS   4 /* open, or create when it does not exist */

#define FILE_ATTRIBUTE_READONLY  0x00000001 /* a log: open for reading only */
#define FILE_ATTRIBUTE_ARCHIVE   0x00000020 /* a log: keep an archive tail */
#define FILE_ATTRIBUTE_NORMAL    0x00000080
#define FILE_ATTRIBUTE_TEMPORARY 0x00000100

#define FILE_NO_INTERMEDIATE_BUFFERING 0x00000008 /* these three have no effect */
#define FILE_SYNCHRONOUS_IO_ALERT      0x00000010 /*   [CLFS-CREATE-21] */
#define FILE_SYNCHRONOUS_IO_NONALERT   0x00000020
#define FILE_FLAG_OVERLAPPED           0x40000000

#define DUPLICATE_CLOSE_SOURCE    0x00000001 /* close the handle that is duplicated */
#define DUPLICATE_SAME_ACCESS     0x00000002 /* the same rights */
#define DUPLICATE_SAME_ATTRIBUTES 0x00000004 /* the same OBJ_ bits */

#define INFINITE             0xFFFFFFFFu /* no limit; as a time-out: for ever */
#define MAXIMUM_WAIT_OBJECTS 64

typedef void *PSECURITY_DESCRIPTOR;

typedef struct _SECURITY_ATTRIBUTES {
    DWORD nLength;
    LPVOID lpSecurityDescriptor;
    BOOL bInheritHandle;
} SECURITY_ATTRIBUTES, *PSECURITY_ATTRIBUTES, *LPSECURITY_ATTRIBUTES;

/* How an object is named, found and protected. 'Attributes' is a set of OBJ_ bits. */
typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length; /* sizeof(OBJECT_ATTRIBUTES), 48 */
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;
typedef const OBJECT_ATTRIBUTES *PCOBJECT_ATTRIBUTES;

#define OBJ_PROTECT_CLOSE                 0x00000001 /* NtDuplicateObject only: never closed */
#define OBJ_INHERIT                       0x00000002 /* the handle goes to child processes */
#define OBJ_PERMANENT                     0x00000010 /* not for the objects here */
#define OBJ_EXCLUSIVE                     0x00000020 /* ignored */
#define OBJ_CASE_INSENSITIVE              0x00000040 /* names compare without case */
#define OBJ_OPENIF                        0x00000080 /* create opens what exists already */
#define OBJ_OPENLINK                      0x00000100 /* ignored */
#define OBJ_KERNEL_HANDLE                 0x00000200 /* no effect in user space */
#define OBJ_FORCE_ACCESS_CHECK            0x00000400 /* check access for kernel callers too */
#define OBJ_IGNORE_IMPERSONATED_DEVICEMAP 0x00000800 /* ignored */
#define OBJ_DONT_REPARSE                  0x00001000 /* ignored */
#define OBJ_VALID_ATTRIBUTES              0x00001FF2 /* any other bit is refused */

/* Fills *p; 'n' is the name or NULL, 'a' the OBJ_ bits, 'r' the root directory or NULL, 's' the
 * security descriptor or NULL. The quality of service becomes NULL. */
#define InitializeObjectAttributes(p, n, a, r, s)                                                  \
    do {                                                                                           \
        (p)->Length = sizeof(OBJECT_ATTRIBUTES);                                                   \
        (p)->RootDirectory = (r);                                                                  \
        (p)->ObjectName = (n);                                                                     \
        (p)->Attributes = (a);                                                                     \
        (p)->SecurityDescriptor = (s);                                                             \
        (p)->SecurityQualityOfService = NULL;                                                      \
    } while (0)

EXTERN_C_END

/* The widths of section 1 of docs/spec/ktm-types.md, proved wherever this is compiled. */
C_ASSERT(sizeof(NTSTATUS) == 4 && sizeof(BOOLEAN) == 1 && sizeof(BOOL) == 4);
C_ASSERT(sizeof(ULONG) == 4 && sizeof(LONG) == 4 && sizeof(DWORD) == 4 && sizeof(USHORT) == 2);
C_ASSERT(sizeof(ULONGLONG) == 8 && sizeof(ULONG_PTR) == 8 && sizeof(HANDLE) == 8);
C_ASSERT(sizeof(KPROCESSOR_MODE) == 1 && (KPROCESSOR_MODE)-1 < 0);
C_ASSERT(sizeof(WCHAR) == 2 && sizeof(ACCESS_MASK) == 4);
C_ASSERT(sizeof(GUID) == 16 && offsetof(GUID, Data4) == 8);
C_ASSERT(sizeof(LARGE_INTEGER) == 8 && offsetof(LARGE_INTEGER, u.HighPart) == 4);
C_ASSERT(sizeof(UNICODE_STRING) == 16 && offsetof(UNICODE_STRING, Buffer) == 8);
C_ASSERT(sizeof(OBJECT_ATTRIBUTES) == 48 && offsetof(OBJECT_ATTRIBUTES, Attributes) == 24);
C_ASSERT(sizeof(SECURITY_ATTRIBUTES) == 24 && sizeof(GENERIC_MAPPING) == 16);
