/* SPDX-License-Identifier: MIT */
/*
 * Plays short scripts on the pure core, with a log kept in memory: how the tables of these tests
 * are read.
 *
 *     play(p, "enlist a full; enlist b cr volatile; commit; preprepared a; prepared a")
 *
 * gives what the last command did, "force COMMIT; a COMMIT; b COMMIT", and p->status. All commands
 * before the last must succeed. After each step transaction_check looks at every transaction.
 *
 * Names are letters: t..w transactions ('t' is there from the start), other small letters
 * enlistments, capitals RMs; enlistment a is by RM A unless "by" says otherwise.
 *
 *   begin u                      enlist a MASK [superior] [volatile] [by B] [in u]
 *   commit [t]   rollback [t]   timeout [t]   shutdown [t]   close t | a | A
 *   preprepared a, prepared a, committed a, rolledback a, readonly a, reject a, veto a, outcome a
 *   preprepare s, prepare s, decide s          (a superior; decide = CommitEnlistment)
 *   open A   recover A | a   callbacks A   fail a PREPARE   info a TEXT
 *   log ok | fails | unclear | toolong | waits     forced t   failed t   unclear t
 *   crash [keeping all]          (what was not forced is lost, then the log is replayed)
 *
 * The ones with an enlistment may end in "clock N". MASK is as in words.h.
 */
#pragma once

#include "tests/test.h"

#include "core/ktm.h"

enum play_log { PLAY_LOG_OK, PLAY_LOG_FAILS, PLAY_LOG_UNCLEAR, PLAY_LOG_TOOLONG, PLAY_LOG_WAITS };

struct play_record {
    uint8_t *data;
    size_t size;
    uint64_t lsn;
    int type;
};

#define PLAY_RECORDS_MAX 64
struct play {
    struct ktm ktm;
    bool is_volatile;
    enum play_log log;
    struct play_record records[PLAY_RECORDS_MAX];
    unsigned record_count, forced_count;
    unsigned forces; /* asked for since the start */
    NTSTATUS status;
    bool has_queued; /* the last step put something into a queue */
    char trace[1024];
};

struct play *play_create(bool is_volatile);
void play_destroy(struct play *play);
OWNED_BY(struct play, play_destroy)

const char *play(struct play *play, const char *script);
/* Like play, but the last command may not answer with anything but SUCCESS. */
const char *play_ok(struct play *play, const char *script);
/* "Preparing", "Forgotten committed signalled", "none": what is seen of a transaction. */
const char *play_state(struct play *play, char tx);
const char *play_enlistment_state(struct play *play, char en); /* "PREPARED", "none" */

struct transaction *play_tx(struct play *play, char name); /* NULL: none */
struct enlistment *play_en(struct play *play, char name);
struct resource_manager *play_rm(struct play *play, char name);
GUID play_guid(char name);
