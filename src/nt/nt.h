/* SPDX-License-Identifier: MIT */
/*
 * The NT surface: handles, rights, names and waiting over the engine. What it does is declared in
 * the public headers (wdm.h, ktm.h); this door has only what those cannot have.
 */
#pragma once

/* Forgets all handles and names without closing anything, as the end of a process would; for tests
 * that destroy an engine and begin anew. No call may be under way. */
void nt_forget_all(void);

/* Called by constructors, so before there are threads: of each table that a program may come to
 * without the others. */
void nt_watch_forks(void);
