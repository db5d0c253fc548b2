/* SPDX-License-Identifier: MIT */
/* The table of switches: ktm_tx.h says what it looks like. */
#pragma once

#include "base/explain.h"

#define TABLE_MAX 32

struct row {
    char *spec, *info, *name;
    int rmid;
    uint32_t timeout_ms;
    bool is_unchecked;
};

struct table {
    char *home;
    struct row rows[TABLE_MAX];
    size_t count;
};

/* Answers: OBJECT_NAME_NOT_FOUND (there is no such file), INVALID_PARAMETER, OBJECT_PATH_NOT_FOUND
 * (no default home), INSUFFICIENT_RESOURCES. */
NTSTATUS table_read(struct table *table, struct explanation *why) must_use;
void table_deinit(struct table *table);
