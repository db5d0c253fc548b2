/* SPDX-License-Identifier: MIT */
/*
 * The records of a transaction manager, for people (docs/format/records.md). Reads what the
 * document says and changes nothing; what is not such a record is said to be none.
 */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"

struct tm_participant {
    GUID enlistment, manager;
    uint32_t mask;
    uint32_t info_size; /* bytes of recovery information */
    char description[4 * 64 + 1];
    bool is_superior;
    bool is_branch; /* 'manager' is another TM, and this stands for its part of the transaction */
};

struct tm_record {
    const char *type; /* "COMMIT"; "MARKER" for a FORGET of nobody, "RESTART" for a restart area */
    int64_t clock;
    GUID transaction; /* zero: of none */
    char description[4 * 64 + 1];
    /* COMMIT and PREPARE: all participants; RECINFO: the enlistment */
    struct tm_participant *participants;
    size_t count;
    /* RESTART */
    GUID identity, log_identity;
    uint64_t oldest;
};

/* Answers: LOG_CORRUPTION_DETECTED (it is no such record), INSUFFICIENT_RESOURCES. */
NTSTATUS tm_record_read(struct bytes data, bool is_restart, struct tm_record *out) must_use;
void tm_record_deinit(struct tm_record *record);
