/* SPDX-License-Identifier: MIT */
/*
 * The bytes of intents, notes and the identity (docs/format/file-intent.md). Pure: from structures
 * to bytes and back; whatever bytes come in, the answer is a structure that holds together or
 * RM_METADATA_CORRUPT.
 */
#pragma once

#include "base/bytes.h"
#include "rm/file/plan.h"

#define INTENT_VERSION     1u
#define INTENT_HEADER_SIZE 24u
#define IDENTITY_SIZE      (INTENT_HEADER_SIZE + 24u)

/* Each allocates *at. Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS intent_encode(const struct plan *plan, uint8_t **at, size_t *size) must_use;
NTSTATUS note_encode(const GUID *transaction, const struct plan_dir *dirs, size_t count,
                     uint8_t **at, size_t *size) must_use;
void identity_encode(const GUID *identity, uint64_t incarnation, uint8_t into[IDENTITY_SIZE]);

/* Answers: RM_METADATA_CORRUPT, INSUFFICIENT_RESOURCES. The plan is linked. */
NTSTATUS intent_decode(struct bytes bytes, struct plan **out) must_use;
/* Whether these bytes claim to be a note. */
bool note_is(struct bytes bytes);
/* Into a plan that has directories and a transaction only. */
NTSTATUS note_decode(struct bytes bytes, struct plan **out) must_use;
NTSTATUS identity_decode(struct bytes bytes, GUID *identity, uint64_t *incarnation) must_use;
