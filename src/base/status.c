/* SPDX-License-Identifier: MIT */
/* The names and the meanings of status codes, from the one table. */
#include "base/base.h"

const char *
status_name(NTSTATUS status)
{
#define STATUS_ROW(name, win32_error, meaning)                                                     \
    case name:                                                                                     \
        return #name;
    switch (status) {
#include "base/status_table.h"
    }
#undef STATUS_ROW
    return NULL;
}

const char *
status_meaning(NTSTATUS status)
{
#define STATUS_ROW(name, win32_error, meaning)                                                     \
    case name:                                                                                     \
        return meaning;
    switch (status) {
#include "base/status_table.h"
    }
#undef STATUS_ROW
    return NT_SUCCESS(status) ? "The operation succeeded in a way that has no name here."
                              : "The operation failed in a way that has no name here.";
}
