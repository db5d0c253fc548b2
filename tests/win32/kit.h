/* SPDX-License-Identifier: MIT */
/*
 * Words for the tests of the Win32 surface: results with their last error, and objects that every
 * test needs. A step that fails here ends the test: what a test is about, it calls itself.
 */
#pragma once

#include "ktmw32.h"
#include "tests/test.h"
#include "wdm.h"

/* ---- results ---- */

/* A value no function sets: it stands in the last error before each call below. */
#define UNTOUCHED 0x7e57ed

/* Succeeds, and leaves the last error alone [W32-GEN-04]. */
#define EXPECT_DONE(call)                                                                          \
    do {                                                                                           \
        SetLastError(UNTOUCHED);                                                                   \
        if (!(call))                                                                               \
            test_fail(__FILE__, __LINE__, "%s: error %u", #call, GetLastError());                  \
        EXPECT_EQ(UNTOUCHED, GetLastError());                                                      \
    } while (0)
/* A BOOL function fails with that error [W32-GEN-01]. */
#define EXPECT_ERROR(error, call)                                                                  \
    do {                                                                                           \
        SetLastError(UNTOUCHED);                                                                   \
        EXPECT_EQ(FALSE, (call));                                                                  \
        EXPECT_EQ(error, GetLastError());                                                          \
    } while (0)
/* A function that returns a handle fails with that error [W32-GEN-02]. */
#define EXPECT_NO_HANDLE(error, call)                                                              \
    do {                                                                                           \
        SetLastError(UNTOUCHED);                                                                   \
        EXPECT((call) == INVALID_HANDLE_VALUE);                                                    \
        EXPECT_EQ(error, GetLastError());                                                          \
    } while (0)
/* The handle of an open function, which leaves the last error alone. */
#define OPENED(call)                                                                               \
    ({                                                                                             \
        HANDLE opened_;                                                                            \
        SetLastError(UNTOUCHED);                                                                   \
        opened_ = (call);                                                                          \
        EXPECT(opened_ != INVALID_HANDLE_VALUE && opened_ != NULL);                                \
        EXPECT_EQ(UNTOUCHED, GetLastError());                                                      \
        opened_;                                                                                   \
    })
/* The handle of a create function, which sets the last error to 0 [W32-GEN-05]. */
#define CREATED(call)                                                                              \
    ({                                                                                             \
        HANDLE created_;                                                                           \
        SetLastError(UNTOUCHED);                                                                   \
        created_ = (call);                                                                         \
        EXPECT(created_ != INVALID_HANDLE_VALUE && created_ != NULL);                              \
        EXPECT_EQ(ERROR_SUCCESS, GetLastError());                                                  \
        created_;                                                                                  \
    })

/* ---- objects ---- */

LPWSTR wide(const char *ascii);    /* kept till the end of the test */
LPWSTR log_name(const char *name); /* of a log in the directory of the test */
LPWSTR letters(size_t count);      /* so many */
GUID guid_number(unsigned number); /* a fixed one that is not zero */
bool same_guid(GUID a, GUID b);

HANDLE new_tm(void);                               /* volatile */
HANDLE new_logged_tm(const char *name);            /* recovered */
HANDLE new_rm(HANDLE tm);                          /* volatile */
HANDLE new_durable_rm(HANDLE tm, unsigned number); /* recovered, LAST_RECOVER taken */
HANDLE new_tx(void);
HANDLE new_en(HANDLE rm, HANDLE tx, ULONG mask, void *key);
HANDLE with_rights(HANDLE handle, ACCESS_MASK access); /* another, with these alone */

#define PREPARE   TRANSACTION_NOTIFY_PREPARE
#define COMMIT    TRANSACTION_NOTIFY_COMMIT
#define ROLLBACK  TRANSACTION_NOTIFY_ROLLBACK
#define MASK_LATE (COMMIT | ROLLBACK)
#define MASK_TWO  (PREPARE | COMMIT | ROLLBACK)

/* ---- what can be seen ---- */

DWORD outcome_of(HANDLE tx);
GUID id_of(HANDLE tx);
OBJECT_HANDLE_INFORMATION rights_of(HANDLE handle);
LONGLONG native_timeout_of(HANDLE tx);

/* The oldest notification is this one. */
void note_expect(const char *file, int line, HANDLE rm, void *key, ULONG what);
#define EXPECT_NOTE(rm, key, what) note_expect(__FILE__, __LINE__, (rm), (key), (what))
/* There is none. */
#define EXPECT_QUIET(rm) note_expect(__FILE__, __LINE__, (rm), NULL, 0)
