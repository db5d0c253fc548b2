/* SPDX-License-Identifier: MIT */
/*
 * What recovery will read: the records of a home's log from where its newest restart area says, to
 * the end, and at which values of the virtual clock a rollforward can stop. Nothing is written, and
 * no manager is opened.
 */
#pragma once

#include "base/guid.h"
#include "cli/complaint.h"

struct replay_record {
    uint64_t lsn;
    int64_t clock;
    int64_t stop;     /* the smallest clock whose rollforward applies it, with all before it */
    const char *type; /* "COMMIT" */
    GUID transaction; /* zero: of none */
    bool is_restart;  /* read and passed over, whatever its clock is */
};

struct replay {
    GUID identity;           /* of the manager */
    int64_t start_clock;     /* of the restart area */
    uint64_t restart, start; /* where that is, and where reading starts */
    struct replay_record *records;
    size_t count;
};

/* Answers: OBJECT_NAME_NOT_FOUND (there is no log), SHARING_VIOLATION (in use), those of reading a
 * log, LOG_CORRUPTION_DETECTED (it is no log of a manager). */
NTSTATUS replay_read(const char *home, struct complaint *why, struct replay *out) must_use;
void replay_deinit(struct replay *replay);

/* The number of the first record from 'number' on that a rollforward to 'clock' does not apply
 * [TM-ROLLFWD-09]. */
size_t replay_reach(const struct replay *replay, size_t number, int64_t clock);
/* The clock when all is applied [TM-RECOVER-02]. */
int64_t replay_end_clock(const struct replay *replay);

/* How an LSN is shown. */
#define REPLAY_LSN_SIZE 17
const char *replay_lsn_text(uint64_t lsn, char text[REPLAY_LSN_SIZE]);
