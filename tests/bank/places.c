/* SPDX-License-Identifier: MIT */
#include "tests/bank/places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "ktm_file.h"
#include "ktm_mariadb.h"
#include "ktm_postgres.h"
#include "ktm_sqlite.h"

/* ---- opening ---- */

static void
path_of(const struct bank *bank, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", bank->directory, name);
}

static struct ktm_mariadb_server
server_of(const struct bank *bank)
{
    return (struct ktm_mariadb_server){.socket = bank->socket, .user = "root", .database = "shop"};
}

static NTSTATUS
open_sqlite(struct bank *bank, const char *name, BOOLEAN is_last, struct ktm_sqlite_rm **out,
            char *why)
{
    char path[PATH_SIZE];
    const struct ktm_sqlite_options options = {.mode = bank->has_threads ? KTM_RM_THREAD
                                                                         : KTM_RM_CALLBACKS,
                                               .patience_ms = bank->patience_ms,
                                               .busy_ms = 500,
                                               .is_last_resource = is_last};

    path_of(bank, name, path);
    return ktm_sqlite_open(ktm_manager(bank->home), ktm_home_path(bank->home), path, &options, why,
                           WHY_SIZE, out);
}

static NTSTATUS
open_files(struct bank *bank, char *why)
{
    const struct ktm_file_options options = {.mode = bank->has_threads ? KTM_RM_THREAD
                                                                       : KTM_RM_CALLBACKS,
                                             .patience_ms = bank->patience_ms};

    return ktm_file_open(ktm_manager(bank->home), ktm_home_path(bank->home), &options, why,
                         WHY_SIZE, &bank->files);
}

/* Nobody but us is here who could end what is prepared. */
static void
hear_postgres(void *context, const struct ktm_postgres_report *report)
{
    (void)context;
    if (report->kind != KTM_POSTGRES_DAMAGED)
        return;
    fprintf(stderr, "PostgreSQL: damaged: %s\n", report->text);
    abort();
}

static void
hear_mariadb(void *context, const struct ktm_mariadb_report *report)
{
    (void)context;
    if (report->kind != KTM_MARIADB_DAMAGED)
        return;
    fprintf(stderr, "MariaDB: damaged: %s\n", report->text);
    abort();
}

static NTSTATUS
open_postgres(struct bank *bank, char *why)
{
    const struct ktm_postgres_options options = {.patience_ms = bank->patience_ms,
                                                 .report = hear_postgres};

    return ktm_postgres_open(ktm_manager(bank->home), ktm_home_path(bank->home), bank->conninfo,
                             &options, why, WHY_SIZE, &bank->postgres);
}

static NTSTATUS
open_mariadb(struct bank *bank, char *why)
{
    const struct ktm_mariadb_options options = {.patience_ms = bank->patience_ms,
                                                .report = hear_mariadb};
    const struct ktm_mariadb_server server = server_of(bank);

    return ktm_mariadb_open(ktm_manager(bank->home), ktm_home_path(bank->home), &server, &options,
                            why, WHY_SIZE, &bank->mariadb);
}

static NTSTATUS
open_all(struct bank *bank, char *why)
{
    char path[PATH_SIZE];
    NTSTATUS status;

    path_of(bank, HOME_PATH, path);
    snprintf(why, WHY_SIZE, "the home cannot be opened");
    status = ktm_open(path, &bank->home);
    if (status == STATUS_SUCCESS)
        status = open_sqlite(bank, TILL_PATH, TRUE, &bank->till, why);
    if (status != STATUS_SUCCESS || bank->patience_ms == 0)
        return status;
    status = open_files(bank, why);
    if (status == STATUS_SUCCESS)
        status = open_sqlite(bank, SQLITE_PATH, FALSE, &bank->sqlite, why);
    if (status == STATUS_SUCCESS)
        status = open_postgres(bank, why);
    if (status == STATUS_SUCCESS)
        status = open_mariadb(bank, why);
    return status;
}

NTSTATUS
bank_open(struct bank *bank, char *why)
{
    NTSTATUS status = open_all(bank, why);

    if (status != STATUS_SUCCESS)
        bank_shut(bank);
    return status;
}

void
bank_shut(struct bank *bank)
{
    ktm_mariadb_shut(bank->mariadb);
    ktm_postgres_shut(bank->postgres);
    ktm_sqlite_shut(bank->sqlite);
    ktm_file_shut(bank->files);
    ktm_sqlite_shut(bank->till);
    ktm_shut(bank->home);
}

size_t
bank_unfinished(struct bank *bank)
{
    return ktm_rm_unfinished(ktm_mariadb_kit(bank->mariadb)) +
           ktm_rm_unfinished(ktm_postgres_kit(bank->postgres)) +
           ktm_rm_unfinished(ktm_sqlite_kit(bank->sqlite)) +
           ktm_rm_unfinished(ktm_sqlite_kit(bank->till)) +
           ktm_rm_unfinished(ktm_file_kit(bank->files));
}

/* ---- taking part ---- */

static NTSTATUS
join_postgres(struct transfer *transfer)
{
    struct bank *bank = transfer->bank;
    NTSTATUS status;

    if (!bank->postgres)
        return ktm_postgres(transfer->tx, bank->conninfo, &transfer->postgres);
    status = ktm_postgres_begin(bank->postgres, ktm_transaction(transfer->tx), &transfer->postgres);
    if (status != STATUS_SUCCESS)
        ktm_postgres_why(bank->postgres, transfer->why, WHY_SIZE);
    return status;
}

static NTSTATUS
join_mariadb(struct transfer *transfer)
{
    struct bank *bank = transfer->bank;
    const struct ktm_mariadb_server server = server_of(bank);
    NTSTATUS status;

    if (!bank->mariadb)
        return ktm_mariadb(transfer->tx, &server, &transfer->mariadb);
    status = ktm_mariadb_begin(bank->mariadb, ktm_transaction(transfer->tx), &transfer->mariadb);
    if (status != STATUS_SUCCESS)
        ktm_mariadb_why(bank->mariadb, transfer->why, WHY_SIZE);
    return status;
}

static NTSTATUS
join_sqlite(struct transfer *transfer)
{
    char path[PATH_SIZE];

    if (transfer->bank->sqlite)
        return ktm_sqlite_begin(transfer->bank->sqlite, ktm_transaction(transfer->tx),
                                transfer->why, WHY_SIZE, &transfer->sqlite);
    path_of(transfer->bank, SQLITE_PATH, path);
    return ktm_sqlite(transfer->tx, path, &transfer->sqlite);
}

static NTSTATUS
join_files(struct transfer *transfer)
{
    if (transfer->bank->files)
        return ktm_file_begin(transfer->bank->files, ktm_transaction(transfer->tx),
                              &transfer->files);
    return ktm_files(transfer->tx, &transfer->files);
}

NTSTATUS
place_join(struct transfer *transfer, enum place place)
{
    switch (place) {
    case POSTGRES:
        return join_postgres(transfer);
    case MARIADB:
        return join_mariadb(transfer);
    case SQLITE:
        return join_sqlite(transfer);
    case TILL:
        return ktm_sqlite_begin(transfer->bank->till, ktm_transaction(transfer->tx), transfer->why,
                                WHY_SIZE, &transfer->till);
    default:
        return join_files(transfer);
    }
}

/* Parts of the doors end with the transaction; the others were held by us. */
void
places_leave(struct transfer *transfer)
{
    ktm_sqlite_close(transfer->till);
    if (transfer->bank->patience_ms == 0)
        return;
    ktm_postgres_close(transfer->postgres);
    ktm_mariadb_close(transfer->mariadb);
    ktm_sqlite_close(transfer->sqlite);
    ktm_file_close(transfer->files);
}

/* ---- SQL ---- */

static NTSTATUS
say_postgres(struct transfer *transfer, const char *sql)
{
    NTSTATUS status = ktm_postgres_exec(transfer->postgres, sql, 0, NULL, NULL);

    if (status != STATUS_SUCCESS)
        ktm_postgres_error(transfer->postgres, transfer->why, WHY_SIZE);
    return status;
}

static NTSTATUS
say_mariadb(struct transfer *transfer, const char *sql)
{
    NTSTATUS status = ktm_mariadb_exec(transfer->mariadb, sql, 0, NULL, NULL);

    if (status != STATUS_SUCCESS)
        ktm_mariadb_error(transfer->mariadb, transfer->why, WHY_SIZE);
    return status;
}

static NTSTATUS
say_sqlite(struct transfer *transfer, struct ktm_sqlite_tx *part, const char *sql)
{
    NTSTATUS status = ktm_sqlite_exec(part, sql);

    if (status != STATUS_SUCCESS)
        ktm_sqlite_error(part, transfer->why, WHY_SIZE);
    return status;
}

static NTSTATUS
say(struct transfer *transfer, enum place place, const char *sql)
{
    switch (place) {
    case POSTGRES:
        return say_postgres(transfer, sql);
    case MARIADB:
        return say_mariadb(transfer, sql);
    case SQLITE:
        return say_sqlite(transfer, transfer->sqlite, sql);
    default:
        return say_sqlite(transfer, transfer->till, sql);
    }
}

NTSTATUS
place_poison(struct transfer *transfer)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "INSERT INTO poison VALUES (%" PRIu64 "), (%" PRIu64 ")",
             transfer->id, transfer->id);
    return say(transfer, POSTGRES, sql);
}

/* ---- files ---- */

static NTSTATUS
read_balance(struct transfer *transfer, unsigned account, char path[PATH_SIZE], long *balance)
{
    char text[32];
    size_t got;
    NTSTATUS status;

    snprintf(path, PATH_SIZE, "%s/" FILES_PATH "/%u", transfer->bank->directory, account);
    status = ktm_file_read(transfer->files, path, 0, text, sizeof(text) - 1, &got);
    if (status != STATUS_SUCCESS)
        return status;
    text[got] = '\0';
    *balance = strtol(text, NULL, 10);
    return STATUS_SUCCESS;
}

static NTSTATUS
move_file(struct transfer *transfer, unsigned account, long amount)
{
    char path[PATH_SIZE], text[64];
    long balance;
    NTSTATUS status = read_balance(transfer, account, path, &balance);

    if (status != STATUS_SUCCESS)
        return status;
    snprintf(text, sizeof(text), "%ld\n", balance + amount);
    status =
        ktm_file_put(transfer->files, path, KTM_FILE_MODE_KEEP, ktm_file_bytes(text, strlen(text)));
    if (status != STATUS_SUCCESS)
        return status;
    snprintf(path, PATH_SIZE, "%s/" FILES_PATH "/ledger.%" PRIu64 ".%u", transfer->bank->directory,
             transfer->bank->run, account);
    snprintf(text, sizeof(text), "%" PRIu64 " %u %u %ld\n", transfer->id, transfer->places, account,
             amount);
    return ktm_file_append(transfer->files, path, ktm_file_bytes(text, strlen(text)));
}

/* ---- moving ---- */

NTSTATUS
place_look(struct transfer *transfer, enum place place, unsigned account)
{
    char sql[128], path[PATH_SIZE];
    long balance;

    snprintf(sql, sizeof(sql), "SELECT balance FROM account WHERE id = %u", account);
    if (place == FILES)
        return read_balance(transfer, account, path, &balance);
    return say(transfer, place, sql);
}

NTSTATUS
place_move(struct transfer *transfer, enum place place, unsigned account, long amount)
{
    char sql[256];
    NTSTATUS status;

    if (place == FILES) {
        status = move_file(transfer, account, amount);
        if (status != STATUS_SUCCESS)
            ktm_file_error(transfer->files, transfer->why, WHY_SIZE);
        return status;
    }
    snprintf(sql, sizeof(sql), "UPDATE account SET balance = balance + %ld WHERE id = %u", amount,
             account);
    status = say(transfer, place, sql);
    if (status != STATUS_SUCCESS)
        return status;
    snprintf(sql, sizeof(sql), "INSERT INTO ledger VALUES (%" PRIu64 ", %u, %u, %ld)", transfer->id,
             transfer->places, account, amount);
    return say(transfer, place, sql);
}
