/* SPDX-License-Identifier: MIT */
/*
 * Money moves from a SQLite database to a file, by X/Open's interfaces: the transaction is one of
 * TX, the database takes part by a switch of XA, and a resource manager of KTM joins in.
 *
 *     cc -o till_tx till_tx.c $(pkg-config --cflags --libs ktm-tx) -lktm-sqlite-xa -lsqlite3
 *     ./till_tx move DIR AMOUNT   DIR/bank/money.db loses it, DIR/purse/wallet gets it, or neither
 *     ./till_tx try DIR AMOUNT    the same, but rolled back
 *     ./till_tx show DIR          prints both
 *     ./till_tx recover DIR       finishes what a crash left; all verbs begin with it
 *
 * The directories DIR/bank and DIR/purse must be there, and the table of switches, DIR/tx.conf:
 *
 *     home=DIR/state
 *     switch=libktm-sqlite-xa.so.0 info=DIR/bank/money.db
 *
 * The switch must have passed the gate in that home:
 *
 *     ktm xa check --home DIR/state --work LIBRARY.so libktm-sqlite-xa.so.0 SOME-OTHER.db
 *
 * Nothing in the part that works is about transaction managers: tx_begin has begun a branch, and
 * the connection that the switch hands out is in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <ktm_file.h>
#include <ktm_sqlite_xa.h>
#include <ktm_tx.h>

enum { PATH_SIZE = 4096, BEGINNING = 100, BANK = 1 };              /* BANK: the rmid */
enum { DONE = 0, ROLLED_BACK = 1, WRONG_USE = 2, UNFINISHED = 3 }; /* exit status */

static char wallet[PATH_SIZE];
static struct ktm_file_rm *files;

static int
complain(const char *what)
{
    char why[1024] = "";

    ktm_tx_error(why, sizeof(why));
    fprintf(stderr, "till_tx: %s: %s\n", what, why);
    return UNFINISHED;
}

/* ---- opening ---- */

static int
open_both(const char *top)
{
    char table[PATH_SIZE], why[512] = "";

    snprintf(table, sizeof(table), "%s/tx.conf", top);
    snprintf(wallet, sizeof(wallet), "%s/purse/wallet", top);
    setenv("KTM_TX", table, 0);
    if (tx_open() != TX_OK)
        return complain("tx_open");
    if (ktm_file_open(ktm_tx_manager(), ktm_tx_home(), NULL, why, sizeof(why), &files) != 0) {
        fprintf(stderr, "till_tx: %s\n", why);
        return UNFINISHED;
    }
    return ktm_tx_unfinished() ? UNFINISHED : DONE;
}

static void
shut_both(void)
{
    ktm_file_shut(files);
    tx_close();
}

/* ---- moving ---- */

static int
take(long amount)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "CREATE TABLE IF NOT EXISTS till(amount);"
             "INSERT INTO till SELECT %d WHERE NOT EXISTS (SELECT 1 FROM till);"
             "UPDATE till SET amount = amount - %ld",
             BEGINNING, amount);
    return sqlite3_exec(ktm_sqlite_xa_db(BANK), sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int
give(struct ktm_file_tx *part, long amount)
{
    char text[32] = "0";
    size_t got = 0;

    if (ktm_file_read(part, wallet, 0, text, sizeof(text) - 1, &got) == 0)
        text[got] = '\0';
    snprintf(text, sizeof(text), "%ld", strtol(text, NULL, 10) + amount);
    return ktm_file_put(part, wallet, KTM_FILE_MODE_KEEP, ktm_file_bytes(text, strlen(text))) == 0;
}

static int
move(long amount, int is_try)
{
    struct ktm_file_tx *file = NULL;
    int is_good, result = ROLLED_BACK;

    if (tx_begin() != TX_OK)
        return complain("tx_begin") == UNFINISHED ? ROLLED_BACK : DONE; /* nothing has begun */
    is_good = ktm_file_begin(files, ktm_tx_transaction(), &file) == 0 && take(amount) &&
              give(file, amount);
    if (!is_good || is_try) {
        tx_rollback();
    } else {
        switch (tx_commit()) {
        case TX_OK:
            result = DONE;
            break;
        case TX_ROLLBACK:
            complain("tx_commit");
            break;
        default:
            result = complain("tx_commit");
        }
    }
    ktm_file_close(file);
    return result;
}

/* ---- showing ---- */

static int
show_row(void *context, int count, char **values, char **columns)
{
    (void)context, (void)columns;
    printf("bank %s", count ? values[0] : "?");
    return 0;
}

static int
show(void)
{
    struct ktm_file_tx *file = NULL;
    char text[32] = "0";
    size_t got;
    int result = UNFINISHED;

    if (tx_begin() != TX_OK)
        return complain("tx_begin");
    if (ktm_file_begin(files, ktm_tx_transaction(), &file) == 0) {
        if (ktm_file_read(file, wallet, 0, text, sizeof(text) - 1, &got) == 0)
            text[got] = '\0';
        if (sqlite3_exec(ktm_sqlite_xa_db(BANK), "SELECT amount FROM till", show_row, NULL, NULL) !=
            SQLITE_OK)
            printf("bank %d", BEGINNING); /* no table yet */
        printf(" wallet %s\n", text);
        result = DONE;
    }
    tx_rollback();
    ktm_file_close(file);
    return result;
}

int
main(int count, char **words)
{
    int is_move = count == 4 && (!strcmp(words[1], "move") || !strcmp(words[1], "try"));
    int result;

    if (!is_move && !(count == 3 && (!strcmp(words[1], "show") || !strcmp(words[1], "recover")))) {
        fprintf(stderr, "usage: till_tx move|try DIR AMOUNT, till_tx show|recover DIR\n");
        return WRONG_USE;
    }
    result = open_both(words[2]);
    if (result == DONE && is_move)
        result = move(strtol(words[3], NULL, 10), words[1][0] == 't');
    else if (result == DONE && words[1][0] == 's')
        result = show();
    shut_both();
    return result;
}
