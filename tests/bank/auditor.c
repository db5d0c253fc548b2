/* SPDX-License-Identifier: MIT */
#include "tests/bank/auditor.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/test.h"

static const char *const place_names[PLACES] = {"PostgreSQL", "MariaDB", "SQLite", "the till",
                                                "the files"};

static const char schema[] =
    "CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL);"
    "CREATE TABLE ledger (transfer BIGINT, places INT, account INT, amount BIGINT,"
    " PRIMARY KEY (transfer, account));";

static char problem[1024]; /* the first one that was found */

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
wrong(const char *format, ...)
{
    va_list arguments;

    if (problem[0])
        return;
    va_start(arguments, format);
    vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
}

static const char *
name_of(uint64_t transfer)
{
    static char text[64];

    snprintf(text, sizeof(text), "transfer %" PRIx64 " (run %" PRIu64 ")", transfer,
             transfer >> RUN_SHIFT);
    return text;
}

/* ---- what was said ---- */

static void
words_add(struct words *words, const struct word *word)
{
    if (words->count == words->room) {
        words->room = words->room ? words->room * 2 : 1024;
        words->all = realloc(words->all, words->room * sizeof(*words->all));
        EXPECT(words->all);
    }
    words->all[words->count++] = *word;
}

void
auditor_hear(struct auditor *auditor, const struct word *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words_add(&auditor->words, &words[i]);
}

/* ---- SQLite ---- */

typedef int sqlite_row(void *context, int count, char **values, char **columns);

static void
ask_sqlite(const struct auditor *auditor, const char *name, const char *sql, sqlite_row *row,
           void *context)
{
    char path[1024], *why = NULL;
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/%s", auditor->directory, name);
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, row, context, &why) != 0)
        wrong("%s: %s: %s", name, sql, why ? why : sqlite3_errmsg(db));
    sqlite3_free(why);
    sqlite3_close(db);
}

/* ---- founding ---- */

static void
make_directory(const struct auditor *auditor, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", auditor->directory, name);
    EXPECT_EQ(0, mkdir(path, 0700));
}

static void
write_file(const struct auditor *auditor, const char *name, const void *content, size_t size)
{
    char path[1024];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", auditor->directory, name);
    fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(size, write(fd, content, size));
    close(fd);
}

static void
found_files(const struct auditor *auditor)
{
    make_directory(auditor, FILES_PATH);
    for (unsigned account = 0; account < ACCOUNTS; account++) {
        char name[64], text[32];

        snprintf(name, sizeof(name), FILES_PATH "/%u", account);
        snprintf(text, sizeof(text), "%d\n", BEGINNING);
        write_file(auditor, name, text, strlen(text));
    }
}

void
auditor_found(struct auditor *auditor)
{
    static const struct page page = {0};
    char sql[1024];

    snprintf(sql, sizeof(sql), "%s INSERT INTO account VALUES", schema);
    for (unsigned account = 0; account < ACCOUNTS; account++) {
        snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql), "%s (%u, %d)", account ? "," : "",
                 account, BEGINNING);
        for (enum place place = 0; place < PLACES; place++)
            auditor->balances[place][account] = BEGINNING;
    }
    make_directory(auditor, "books");
    make_directory(auditor, "till");
    found_files(auditor);
    write_file(auditor, PAGE_PATH, &page, sizeof(page));
    mariadb_ask(auditor->mariadb, sql);
    postgres_ask(auditor->postgres, sql);
    postgres_ask(auditor->postgres,
                 "CREATE TABLE poison (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    ask_sqlite(auditor, SQLITE_PATH, sql, NULL, NULL);
    ask_sqlite(auditor, TILL_PATH, "PRAGMA journal_mode=WAL", NULL, NULL);
    ask_sqlite(auditor, TILL_PATH, sql, NULL, NULL);
    EXPECT_TEXT("", problem);
    auditor->first_run = 1;
}

void
auditor_end(struct auditor *auditor)
{
    free(auditor->words.all);
    free(auditor->verdicts.all);
}

/* ---- what the places have ---- */

struct entry {
    uint64_t transfer;
    unsigned places, account;
    long amount;
    enum place place;
};

struct books {
    struct entry *entries;
    size_t count, room;
    long balances[PLACES][ACCOUNTS];
    enum place place; /* that is being read */
};

static void
books_enter(struct books *books, const struct entry *entry)
{
    if (books->count == books->room) {
        books->room = books->room ? books->room * 2 : 1024;
        books->entries = realloc(books->entries, books->room * sizeof(*books->entries));
        EXPECT(books->entries);
    }
    books->entries[books->count++] = *entry;
}

/* A row of any of the two tables, as texts. */
static int
books_take(void *context, int count, char **values, char **columns)
{
    struct books *books = context;
    unsigned account = (unsigned)strtoul(values[0], NULL, 10);

    (void)columns;
    if (count == 4)
        books_enter(books, &(struct entry){.transfer = strtoull(values[1], NULL, 10),
                                           .places = (unsigned)strtoul(values[2], NULL, 10),
                                           .account = account,
                                           .amount = strtol(values[3], NULL, 10),
                                           .place = books->place});
    else if (account < ACCOUNTS)
        books->balances[books->place][account] = strtol(values[1], NULL, 10);
    return 0;
}

static void
take_postgres(struct books *books, const struct auditor *auditor, const char *sql)
{
    PGconn *connection = PQconnectdb(auditor->postgres->conninfo);
    PGresult *result = PQexec(connection, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        wrong("PostgreSQL: %s: %s", sql, PQerrorMessage(connection));
    for (int row = 0; row < PQntuples(result); row++) {
        char *values[4];
        int columns = PQnfields(result);

        for (int i = 0; i < columns; i++)
            values[i] = PQgetvalue(result, row, i);
        (void)books_take(books, columns, values, NULL);
    }
    PQclear(result);
    PQfinish(connection);
}

static void
take_mariadb(struct books *books, const struct auditor *auditor, const char *sql)
{
    MYSQL *connection = mariadb_enter(auditor->mariadb, NULL);
    MYSQL_RES *result;
    MYSQL_ROW row;

    if (mysql_query(connection, sql) != 0)
        wrong("MariaDB: %s: %s", sql, mysql_error(connection));
    result = mysql_store_result(connection);
    while (result && (row = mysql_fetch_row(result)))
        (void)books_take(books, (int)mysql_num_fields(result), row, NULL);
    mysql_free_result(result);
    mysql_close(connection);
}

static void
take_table(struct books *books, const struct auditor *auditor, const char *sql)
{
    books->place = POSTGRES;
    take_postgres(books, auditor, sql);
    books->place = MARIADB;
    take_mariadb(books, auditor, sql);
    books->place = SQLITE;
    ask_sqlite(auditor, SQLITE_PATH, sql, books_take, books);
    books->place = TILL;
    ask_sqlite(auditor, TILL_PATH, sql, books_take, books);
}

static void
take_file(struct books *books, const struct auditor *auditor, const char *name)
{
    char path[1024], line[128];
    struct entry entry = {.place = FILES};
    unsigned account;
    uint64_t run;
    FILE *file;

    snprintf(path, sizeof(path), "%s/" FILES_PATH "/%s", auditor->directory, name);
    if (sscanf(name, "ledger.%" SCNu64 ".%u", &run, &account) == 2) {
        if (run < auditor->first_run)
            return;
    } else if (strlen(name) != 1 || sscanf(name, "%u", &account) != 1 || account >= ACCOUNTS) {
        wrong("'%s' was left behind among the files", name);
        return;
    }
    file = fopen(path, "re");
    EXPECT(file);
    while (fgets(line, sizeof(line), file))
        if (strlen(name) == 1)
            books->balances[FILES][account] = strtol(line, NULL, 10);
        else if (sscanf(line, "%" SCNu64 " %u %u %ld", &entry.transfer, &entry.places,
                        &entry.account, &entry.amount) == 4)
            books_enter(books, &entry);
        else
            wrong("'%s' has the line '%s'", name, line);
    fclose(file);
}

/* Calls 'each' for every name in that directory of the bank. */
static void
each_name(const struct auditor *auditor, const char *name,
          void (*each)(void *context, const struct auditor *auditor, const char *name),
          void *context)
{
    struct dirent *entry;
    char path[1024];
    DIR *directory;

    snprintf(path, sizeof(path), "%s/%s", auditor->directory, name);
    directory = opendir(path);
    EXPECT(directory);
    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(context, auditor, entry->d_name);
    closedir(directory);
}

static void
take_name(void *context, const struct auditor *auditor, const char *name)
{
    take_file(context, auditor, name);
}

static int
by_transfer(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->transfer < y->transfer ? -1 : x->transfer > y->transfer;
}

static void
books_read(struct books *books, const struct auditor *auditor)
{
    char sql[256];

    take_table(books, auditor, "SELECT id, balance FROM account");
    snprintf(sql, sizeof(sql),
             "SELECT account, transfer, places, amount FROM ledger WHERE transfer >= %" PRIu64,
             auditor->first_run << RUN_SHIFT);
    take_table(books, auditor, sql);
    each_name(auditor, FILES_PATH, take_name, books);
    if (books->count)
        qsort(books->entries, books->count, sizeof(*books->entries), by_transfer);
}

/* ---- comparing ---- */

static const char *
list_of(unsigned places)
{
    static char texts[2][128];
    static unsigned next;
    char *text = texts[next++ % 2];

    text[0] = '\0';
    for (enum place place = 0; place < PLACES; place++)
        if (places & 1u << place) {
            strcat(text, text[0] ? ", " : "");
            strcat(text, place_names[place]);
        }
    return text;
}

/* Entries of one transfer; where the next begins. */
static const struct entry *
check_transfer(const struct books *books, const struct entry *first,
               long balances[PLACES][ACCOUNTS])
{
    const struct entry *at = first;
    unsigned places = 0;
    long sum = 0;

    for (; at < books->entries + books->count && at->transfer == first->transfer; at++) {
        places |= 1u << at->place;
        sum += at->amount;
        balances[at->place][at->account % ACCOUNTS] += at->amount;
    }
    if (places != first->places)
        wrong("%s is in %s, and has to be in %s", name_of(first->transfer), list_of(places),
              list_of(first->places));
    if (sum != 0)
        wrong("the amounts of %s make %ld", name_of(first->transfer), sum);
    return at;
}

static void
check_balances(const struct books *books, long balances[PLACES][ACCOUNTS])
{
    long sum = 0;

    for (enum place place = 0; place < PLACES; place++)
        for (unsigned account = 0; account < ACCOUNTS; account++) {
            sum += books->balances[place][account];
            if (books->balances[place][account] != balances[place][account])
                wrong("account %u in %s has %ld, and its ledger says %ld", account,
                      place_names[place], books->balances[place][account],
                      balances[place][account]);
        }
    if (sum != (long)PLACES * ACCOUNTS * BEGINNING)
        wrong("the sum of all accounts is %ld", sum);
}

static bool
books_have(const struct books *books, uint64_t transfer)
{
    const struct entry wanted = {.transfer = transfer};

    return books->count &&
           bsearch(&wanted, books->entries, books->count, sizeof(wanted), by_transfer) != NULL;
}

static void
check_word(const struct books *books, const struct word *word)
{
    bool is_there = books_have(books, word->transfer);

    if (word->kind == GRANTED && !is_there)
        wrong("%s was acknowledged, and is nowhere", name_of(word->transfer));
    if (word->kind == REFUSED && is_there)
        wrong("%s was refused, and is there", name_of(word->transfer));
    if (word->kind == BROKEN)
        wrong("%s was answered with 0x%08x", name_of(word->transfer), word->status);
}

static int
by_word(const void *a, const void *b)
{
    const struct word *x = a, *y = b;

    if (x->transfer != y->transfer)
        return x->transfer < y->transfer ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

/* Of those that were asked for and not answered: the last word about them is no verdict. */
static void
count_words(const struct books *books, const struct words *words, struct findings *findings)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct word *word = &words->all[i];
        bool is_last = i + 1 == words->count || words->all[i + 1].transfer != word->transfer;

        if (word->kind == READY || !is_last)
            continue;
        if (word->kind == GRANTED)
            findings->granted++;
        else if (word->kind == REFUSED)
            findings->refused++;
        else if (books_have(books, word->transfer))
            findings->committed++;
        else
            findings->rolled_back++;
    }
}

/* ---- what is left behind ---- */

/* A journal put away, a promise of the files, and what was being written for one. */
static bool
is_left(const char *name)
{
    return strstr(name, "-ktm.") || strstr(name, ".promise") || strncmp(name, "new.", 4) == 0;
}

static void
check_name(void *context, const struct auditor *auditor, const char *name)
{
    const char *directory = context;
    char path[1024];
    struct stat info;

    snprintf(path, sizeof(path), "%s/%s/%s", auditor->directory, directory, name);
    if (is_left(name) || (stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        wrong("'%s/%s' was left behind", directory, name);
}

static void
count_name(void *context, const struct auditor *auditor, const char *name)
{
    (void)auditor;
    *(unsigned *)context += is_left(name);
}

static void
each_left(struct auditor *auditor, void (*each)(void *, const struct auditor *, const char *),
          void *in_books, void *in_home)
{
    struct stat info;
    char path[1024];

    each_name(auditor, "books", each, in_books);
    snprintf(path, sizeof(path), "%s/" HOME_PATH "/file", auditor->directory);
    if (stat(path, &info) == 0)
        each_name(auditor, HOME_PATH "/file", each, in_home);
}

/* What XA RECOVER lists, and in 'last' the last of them. */
static unsigned
doubts_of_mariadb(struct auditor *auditor, char last[512])
{
    MYSQL *connection = mariadb_enter(auditor->mariadb, NULL);
    MYSQL_RES *result;
    unsigned count;
    MYSQL_ROW row;

    EXPECT_EQ(0, mysql_query(connection, "XA RECOVER FORMAT='SQL'"));
    result = mysql_store_result(connection);
    count = (unsigned)mysql_num_rows(result);
    while ((row = mysql_fetch_row(result)))
        snprintf(last, 512, "%s", row[3]);
    mysql_free_result(result);
    mysql_close(connection);
    return count;
}

static unsigned
doubts_of_postgres(struct auditor *auditor)
{
    return (unsigned)postgres_count(auditor->postgres, "SELECT count(*) FROM pg_prepared_xacts");
}

unsigned
auditor_doubts(struct auditor *auditor)
{
    char last[512];
    unsigned count = doubts_of_postgres(auditor) + doubts_of_mariadb(auditor, last);

    each_left(auditor, count_name, &count, &count);
    return count;
}

static void
check_doubts(struct auditor *auditor)
{
    char last[512] = "";

    if (doubts_of_mariadb(auditor, last))
        wrong("MariaDB still has %s", last);
    if (doubts_of_postgres(auditor))
        wrong("PostgreSQL still has %s",
              postgres_ask(auditor->postgres, "SELECT gid FROM pg_prepared_xacts"));
    each_left(auditor, check_name, (char[]){"books"}, (char[]){HOME_PATH "/file"});
}

/* The transaction manager has nothing to finish either. */
static void
check_status(const struct auditor *auditor)
{
    char command[2048], line[512];
    bool is_clean = false;
    FILE *said;

    snprintf(command, sizeof(command), "'%s/ktm' status --home '%s/" HOME_PATH "' 2>&1",
             test_build(), auditor->directory);
    said = popen(command, "re"); /* NOLINT(cert-env33-c) */
    EXPECT(said);
    while (fgets(line, sizeof(line), said))
        is_clean = strcmp(line, "Nothing is unfinished.\n") == 0 ||
                   strcmp(line, "Nothing was ever applied with this home.\n") == 0;
    if (pclose(said) != 0 || !is_clean)
        wrong("'ktm status' says: %s", line);
}

/* ---- the audit ---- */

static void
keep_verdicts(struct auditor *auditor)
{
    for (size_t i = 0; i < auditor->words.count; i++) {
        const struct word *word = &auditor->words.all[i];

        if (word->kind == GRANTED || word->kind == REFUSED)
            words_add(&auditor->verdicts, word);
        if (auditor->first_run <= word->transfer >> RUN_SHIFT)
            auditor->first_run = (word->transfer >> RUN_SHIFT) + 1;
    }
    auditor->words.count = 0;
}

const char *
auditor_audit(struct auditor *auditor, struct findings *findings)
{
    struct books books = {0};

    problem[0] = '\0';
    books_read(&books, auditor);
    for (const struct entry *at = books.entries; at < books.entries + books.count;)
        at = check_transfer(&books, at, auditor->balances);
    check_balances(&books, auditor->balances);
    if (auditor->words.count)
        qsort(auditor->words.all, auditor->words.count, sizeof(struct word), by_word);
    for (size_t i = 0; i < auditor->words.count; i++)
        check_word(&books, &auditor->words.all[i]);
    count_words(&books, &auditor->words, findings);
    check_doubts(auditor);
    check_status(auditor);
    free(books.entries);
    keep_verdicts(auditor);
    return problem;
}

const char *
auditor_audit_all(struct auditor *auditor)
{
    struct auditor all = *auditor;
    struct findings findings = {0};

    all.words = auditor->verdicts;
    all.verdicts = (struct words){0};
    all.first_run = 0;
    for (enum place place = 0; place < PLACES; place++)
        for (unsigned account = 0; account < ACCOUNTS; account++)
            all.balances[place][account] = BEGINNING;
    (void)auditor_audit(&all, &findings);
    free(all.words.all);
    auditor->verdicts = all.verdicts;
    return problem;
}
