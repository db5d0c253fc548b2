/* SPDX-License-Identifier: MIT */
/*
 * A scene for the tables that try every call in every state: one durable TM on a simulated disk,
 * and a transaction with at most two participants and a superior, brought into the state by name.
 *
 * What a call may do is a letter (see scene_status), one per state, so that a table reads like the
 * one of the specification.
 */
#pragma once

#include "tests/nt/kit.h"

struct scene {
    HANDLE tm, tx;
    HANDLE rm[2], en[2]; /* a and b, keys 1 and 2 */
    HANDLE superior_rm, superior;
    ULONG superior_mask;
};
extern struct scene scene;

void scene_begin(void); /* a new disk and a new process on it; its TM is recovered */
void scene_end(void);
/* The log cannot be written any more; nobody knows whether what is written now is. */
void scene_break_disk(void);
void scene_break_disk_ambiguously(void);
/* The TM is closed in order and attached again; recovered, if so asked. */
void scene_restart(bool is_recovered);

/* A transaction with durable participants; a mask of 0: not there. */
void scene_enlist(ULONG a, ULONG b, ULONG superior);
void scene_say(HANDLE en, answer_routine *routine); /* is accepted */
void scene_commit(void);
void scene_drain(void); /* nobody has notifications any more */
bool scene_is_quiet(void);
/* The RM is closed with its handles, and opened again; its enlistment too. Recovered: the RM is. */
void scene_lose(HANDLE *rm, HANDLE *en, bool is_recovered);

/* ---- routines in their three forms ---- */

struct form {
    const char *name;
    answer_routine *nt, *zw;
    NTSTATUS (*tm)(PKENLISTMENT, PLARGE_INTEGER);
};
#define FORM(routine)                                                                              \
    {                                                                                              \
#routine, Nt##routine, Zw##routine, Tm##routine                                            \
    }
enum { FORM_NT, FORM_ZW, FORM_TM, FORMS };
NTSTATUS form_call(const struct form *form, int which, HANDLE en, PLARGE_INTEGER clock);
const char *form_prefix(int which);

/* The status a letter stands for:
 * S success, - success without effect, R NOT_REQUESTED, V REQUEST_NOT_VALID, N ENLISTMENT_NOT_-
 * SUPERIOR, E RESPONSE_NOT_ENLISTED, X NOT_ACTIVE, A ALREADY_ABORTED, C ALREADY_COMMITTED,
 * U SUPERIOR_EXISTS, W MUST_WRITETHROUGH, P INVALID_PARAMETER, O TRANSACTIONMANAGER_NOT_ONLINE,
 * L TM_VOLATILE, F UNSUCCESSFUL, 0 the status that says that nothing was found. */
bool letter_fits(char letter, NTSTATUS status);
