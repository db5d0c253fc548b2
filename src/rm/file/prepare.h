/* SPDX-License-Identifier: MIT */
/* The parts of preparing: looking again (check.c), staging (prepare.c). */
#pragma once

#include "rm/file/plan_make.h"

/* Whether every directory and name the steps relied on is as it was when they did. Answers:
 * TRANSACTIONAL_CONFLICT. */
NTSTATUS check_unchanged(struct work *work) must_use;
/* Whether the file systems can do what the plan will ask of them: exchanges, and moving
 * directories. Makes and removes hidden names. Answers: NOT_SUPPORTED. */
NTSTATUS check_abilities(struct work *work) must_use;
