/* SPDX-License-Identifier: MIT */
/*
 * Reading a log from its base to its end, without writing to it. A log that another process has
 * open is refused [CLFS-CONC-13].
 */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"
#include "cli/complaint.h"

struct log_scan;

struct log_facts {
    GUID identity;
    uint64_t base, end, flushed, restart; /* LSNs; restart: LOG_SCAN_NONE when there is none */
    uint64_t container_size;
    unsigned containers, containers_free;
};

struct log_entry {
    uint64_t lsn, previous, undo_next; /* LOG_SCAN_NONE: no such record */
    bool is_restart;
    struct bytes data; /* good until the next call */
};

#define LOG_SCAN_NONE 0xFFFFFFFF00000000u

/* 'path' with or without ".blf". Answers: those of opening a log; 'why' says what is wrong and what
 * to do. */
NTSTATUS log_scan_open(const char *path, struct complaint *why, struct log_scan **out) must_use;
/* The process that has the log open, 0 when it is not known. Not to be called by a process that has
 * it open itself: its own lock would go. */
int log_holder(const char *path);
void log_scan_close(struct log_scan *scan);
OWNED_BY(struct log_scan, log_scan_close)

const struct log_facts *log_scan_facts(const struct log_scan *scan);
/* The next record. Answers: END_OF_FILE, and what is wrong with the log there. */
NTSTATUS log_scan_next(struct log_scan *scan, struct log_entry *out) must_use;

/* What a status of a log says about it: damaged, or in use, or something else; and what to do.
 * NULL: nothing special. */
const char *log_advice(NTSTATUS status);
bool log_is_damage(NTSTATUS status);
