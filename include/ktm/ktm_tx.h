/* SPDX-License-Identifier: MIT */
/*
 * What libktm-tx.so has beside X/Open's TX (tx.h): the table of switches, the transaction itself,
 * so that resource managers of KTM take part in it, and sentences.
 *
 * The table is the file that $KTM_TX names, else 'tx.conf' in the default home (ktm.h). A line has
 * words NAME=VALUE, with quotes around a value that has blanks; a '#' begins a remark:
 *
 *     home=/var/lib/my                                  # where the state is; else the default home
 *     switch=libktm-sqlite-xa.so info=/var/lib/my/a.db  # its rmid is 1
 *     switch=libshop.so:shop_xa_switch info='db=shop' name=shop rmid=7 timeout=10
 *
 * 'name' is that of its state in the home, by default "tx" and its rmid; 'timeout' in seconds is
 * how long a call of it may take in a helper; 'unchecked=1' takes a switch that has not passed
 * 'ktm xa check' in this home.
 */
#pragma once

#include "ktmbase.h"
#include "tx.h"

EXTERN_C_START

/* The transaction of this thread, for ktm_file_begin and its like; not to be closed, committed nor
 * rolled back. NULL: it is in none. */
KTM_API HANDLE ktm_tx_transaction(void);
/* The transaction manager, and the home, while a thread of the process has opened; not to be
 * closed. NULL otherwise. */
KTM_API HANDLE ktm_tx_manager(void);
KTM_API const char *ktm_tx_home(void);
/* How many branches are prepared and not finished, of all resources. */
KTM_API size_t ktm_tx_unfinished(void);
/* The sentence that belongs to this thread's last refusal. Copies as much as fits, with a NUL, and
 * returns its full length; 0: nothing was refused. */
KTM_API size_t ktm_tx_error(char *into, size_t size);

EXTERN_C_END
