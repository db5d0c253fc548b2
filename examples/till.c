/* SPDX-License-Identifier: MIT */
/*
 * Money moves from a SQLite database to a file, in one transaction.
 *
 *     cc -o till till.c $(pkg-config --cflags --libs ktm ktm-sqlite) -lsqlite3
 *     ./till move DIR AMOUNT   DIR/bank/money.db loses it, DIR/purse/wallet gets it, or neither
 *     ./till try DIR AMOUNT    the same, but rolled back
 *     ./till show DIR          prints both
 *     ./till recover DIR       finishes what a crash left; all verbs begin with it
 *
 * The directories DIR/bank and DIR/purse must be there.
 *
 * With TILL=last in the environment the database takes part as last resource: its own COMMIT is the
 * decision, and it need not be able to prepare. With TILL=wal it prepares in WAL mode, too, where
 * nobody else may have it open meanwhile.
 *
 * There is nothing here about crashes: opening both finishes what one has left. Two rules are worth
 * a look. The file's resource manager and the database's share one transaction manager, because
 * they share a home. And whoever looks at either does so after both are open, or may see one of
 * them before it is recovered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <ktm.h>
#include <ktm_file.h>
#include <ktm_sqlite.h>

enum { PATH_SIZE = 4096, BEGINNING = 100 };
enum { DONE = 0, ROLLED_BACK = 1, WRONG_USE = 2, UNFINISHED = 3 }; /* exit status */

static char wallet[PATH_SIZE];
static struct ktm_file_rm *files;
static struct ktm_sqlite_rm *bank;

static int
open_both(const char *top)
{
    const char *mode = getenv("TILL");
    struct ktm_sqlite_options options = {.mode = KTM_RM_CALLBACKS,
                                         .busy_ms = 5000,
                                         .is_last_resource = mode && strcmp(mode, "last") == 0,
                                         .owns_wal = mode && strcmp(mode, "wal") == 0};
    char home[PATH_SIZE], database[PATH_SIZE], why[512] = "";

    snprintf(home, sizeof(home), "%s/state", top);
    snprintf(database, sizeof(database), "%s/bank/money.db", top);
    snprintf(wallet, sizeof(wallet), "%s/purse/wallet", top);
    if (ktm_file_open(NULL, home, NULL, why, sizeof(why), &files) != STATUS_SUCCESS ||
        ktm_sqlite_open(ktm_file_tm(files), home, database, &options, why, sizeof(why), &bank) !=
            STATUS_SUCCESS) {
        fprintf(stderr, "till: %s\n", why);
        return UNFINISHED;
    }
    return ktm_rm_unfinished(ktm_sqlite_kit(bank)) ? UNFINISHED : DONE;
}

static void
shut_both(void)
{
    ktm_sqlite_shut(bank);
    ktm_file_shut(files);
}

/* ---- moving ---- */

static NTSTATUS
take(struct ktm_sqlite_tx *part, long amount)
{
    char sql[200];

    snprintf(sql, sizeof(sql),
             "CREATE TABLE IF NOT EXISTS till(amount);"
             "INSERT INTO till SELECT %d WHERE NOT EXISTS (SELECT 1 FROM till);"
             "UPDATE till SET amount = amount - %ld",
             BEGINNING, amount);
    return ktm_sqlite_exec(part, sql);
}

static NTSTATUS
give(struct ktm_file_tx *part, long amount)
{
    char text[32] = "0";
    size_t got = 0;

    if (ktm_file_read(part, wallet, 0, text, sizeof(text) - 1, &got) == STATUS_SUCCESS)
        text[got] = '\0';
    snprintf(text, sizeof(text), "%ld", strtol(text, NULL, 10) + amount);
    return ktm_file_put(part, wallet, KTM_FILE_MODE_KEEP, ktm_file_bytes(text, strlen(text)));
}

static NTSTATUS
move_both(struct ktm_file_tx *file, struct ktm_sqlite_tx *row, long amount, int is_try)
{
    NTSTATUS status = take(row, amount);

    if (status == STATUS_SUCCESS)
        status = give(file, amount);
    if (status == STATUS_SUCCESS && is_try)
        return ktm_file_rollback(file);
    if (status == STATUS_SUCCESS)
        status = ktm_file_commit(file);
    return status;
}

static int
move(long amount, int is_try)
{
    struct ktm_sqlite_tx *row = NULL;
    struct ktm_file_tx *file = NULL;
    char why[512] = "";
    NTSTATUS status = ktm_file_begin(files, NULL, &file);

    if (status == STATUS_SUCCESS)
        status = ktm_sqlite_begin(bank, ktm_file_transaction(file), why, sizeof(why), &row);
    if (status == STATUS_SUCCESS)
        status = move_both(file, row, amount, is_try);
    if (status != STATUS_SUCCESS) {
        if (row && !why[0])
            ktm_sqlite_error(row, why, sizeof(why));
        fprintf(stderr, "till: %s: %s\n", ktm_status_text(status), why);
    }
    ktm_sqlite_close(row);
    ktm_file_close(file);
    if (status == STATUS_SUCCESS)
        return is_try ? ROLLED_BACK : DONE;
    return status == STATUS_TRANSACTION_ALREADY_ABORTED || !row ? ROLLED_BACK : UNFINISHED;
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
    struct ktm_sqlite_tx *row = NULL;
    struct ktm_file_tx *file = NULL;
    char text[32] = "0";
    size_t got;
    int result = UNFINISHED;

    if (ktm_file_begin(files, NULL, &file) == STATUS_SUCCESS &&
        ktm_sqlite_begin(bank, ktm_file_transaction(file), NULL, 0, &row) == STATUS_SUCCESS) {
        if (ktm_file_read(file, wallet, 0, text, sizeof(text) - 1, &got) == STATUS_SUCCESS)
            text[got] = '\0';
        if (sqlite3_exec(ktm_sqlite_db(row), "SELECT amount FROM till", show_row, NULL, NULL) !=
            SQLITE_OK)
            printf("bank %d", BEGINNING); /* no table yet */
        printf(" wallet %s\n", text);
        result = DONE;
    }
    ktm_sqlite_close(row);
    ktm_file_close(file);
    return result;
}

int
main(int count, char **words)
{
    int is_move = count == 4 && (!strcmp(words[1], "move") || !strcmp(words[1], "try"));
    int result;

    if (!is_move && !(count == 3 && (!strcmp(words[1], "show") || !strcmp(words[1], "recover")))) {
        fprintf(stderr, "usage: till move|try DIR AMOUNT, till show|recover DIR\n");
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
