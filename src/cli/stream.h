/* SPDX-License-Identifier: MIT */
/*
 * Content that comes from a pipe or a device rather than from a file: 'ktm apply --put <(make):x'.
 * Waiting for it ends when a signal asks for an end, or the time is over.
 */
#pragma once

#include "cli/complaint.h"

struct stream {
    int fd;
    uint64_t deadline; /* CLOCK_MONOTONIC, nanoseconds */
};

/* Whether the path leads to something that is neither file nor directory. */
bool stream_is_one(const char *path);
/* Answers: ACCESS_DENIED; 'why' is written. */
NTSTATUS stream_open(struct stream *stream, const char *path, struct complaint *why) must_use;
void stream_close(struct stream *stream);
/* A ktm_file_reader. Answers: CANCELLED, ROLLBACK_TIMER_EXPIRED, IO_DEVICE_ERROR. */
NTSTATUS stream_read(void *stream, void *into, size_t size, size_t *got);
