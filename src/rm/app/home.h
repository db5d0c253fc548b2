/* SPDX-License-Identifier: MIT */
/* An open home, as the files of this room see it. */
#pragma once

#include "rm/app/app.h"
#include "wdm.h"

struct ktm_home {
    struct list in_open;
    unsigned users; /* opened so often, and not shut */
    char *path;
    HANDLE manager;
    struct parts parts;
};
