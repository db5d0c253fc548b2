/* SPDX-License-Identifier: MIT */
/* Status codes explained to programs: what ktm.h promises, from the table in base/. */
#include "ktm.h"

#include "base/base.h"

const char *
ktm_status_name(NTSTATUS status)
{
    return status_name(status);
}

const char *
ktm_status_text(NTSTATUS status)
{
    return status_meaning(status);
}
