/* SPDX-License-Identifier: MIT */
/* Opening a database for the switch. */
#pragma once

#include "rm/sqlite/rm.h"

/* The open string: a path, and behind a '?' how long to wait for others, "busy=<milliseconds>".
 * What an earlier process left and nobody was promised is rolled back, unless the database is in
 * use. NULL: it cannot be opened. To be given to sqlite_rm_release. */
struct ktm_sqlite_rm *manager_open(const char *info);
