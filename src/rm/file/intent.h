/* SPDX-License-Identifier: MIT */
/*
 * The bytes of intents, the list of yards and the identity (docs/format/file-intent.md). Pure: from
 * structures to bytes and back; whatever bytes come in, the answer is a structure that holds
 * together or RM_METADATA_CORRUPT.
 */
#pragma once

#include "base/bytes.h"
#include "rm/file/plan.h"

#define INTENT_VERSION     1u
#define INTENT_HEADER_SIZE 24u
#define IDENTITY_SIZE      (INTENT_HEADER_SIZE + 24u)

/* Each allocates *at. Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS intent_encode(const struct plan *plan, uint8_t **at, size_t *size) must_use;
/* A directory in which hidden names may be; 'mount_size' bytes of its path are where its file
 * system is mounted. */
struct yard_line {
    uint64_t inode;
    int64_t born;
    uint32_t mount_size;
    const char *path;
};
NTSTATUS yards_encode(const GUID *identity, const struct yard_line *lines, size_t count,
                      uint8_t **at, size_t *size) must_use;
void identity_encode(const GUID *identity, uint64_t incarnation, uint8_t into[IDENTITY_SIZE]);

/* Answers: RM_METADATA_CORRUPT, INSUFFICIENT_RESOURCES. The plan is linked. */
NTSTATUS intent_decode(struct bytes bytes, struct plan **out) must_use;
/* Calls 'each' for every line, whose path is lent; answers what it says, too. */
NTSTATUS yards_decode(struct bytes bytes, GUID *identity,
                      NTSTATUS (*each)(void *context, const struct yard_line *line),
                      void *context) must_use;
NTSTATUS identity_decode(struct bytes bytes, GUID *identity, uint64_t *incarnation) must_use;
