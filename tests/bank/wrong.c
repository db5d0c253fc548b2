/* SPDX-License-Identifier: MIT */
/* That the auditor finds what he is for: books that are made wrong on purpose, one thing at a time.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bank/play.h"

#include "tests/test.h"

#define TRANSFER ((uint64_t)1 << RUN_SHIFT | 1)

/* One transfer between PostgreSQL and MariaDB, in the books as it has to be. */
static void
enter_transfer(struct play *play)
{
    char sql[256];
    const unsigned places = 1u << POSTGRES | 1u << MARIADB;

    snprintf(sql, sizeof(sql),
             "INSERT INTO ledger VALUES (%" PRIu64 ", %u, 0, 7);"
             " UPDATE account SET balance = balance + 7 WHERE id = 0",
             TRANSFER, places);
    postgres_ask(&play->postgres, sql);
    snprintf(sql, sizeof(sql),
             "INSERT INTO ledger VALUES (%" PRIu64 ", %u, 0, -7);"
             " UPDATE account SET balance = balance - 7 WHERE id = 0",
             TRANSFER, places);
    mariadb_ask(&play->mariadb, sql);
}

static void
touch(struct play *play, const char *name, bool is_there)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", play->directory, name);
    if (is_there)
        close(open(path, O_CREAT | O_WRONLY, 0600));
    else
        unlink(path);
}

/* What an audit of this state says. The auditor himself is as before. */
static const char *
audit(const struct play *play, enum word_kind said)
{
    const struct word word = {.transfer = TRANSFER, .kind = said};
    struct auditor auditor = play->auditor;
    struct findings findings = {0};
    const char *problem;

    auditor.words = auditor.verdicts = (struct words){0};
    auditor_hear(&auditor, &word, 1);
    problem = auditor_audit(&auditor, &findings);
    auditor_end(&auditor);
    return problem;
}

#define EXPECT_WRONG(words, said)                                                                  \
    do {                                                                                           \
        const char *problem_ = audit(&play, said);                                                 \
        if (!strstr(problem_, words))                                                              \
            test_fail(__FILE__, __LINE__, "the auditor says '%s', not '%s'", problem_, words);     \
    } while (0)

TEST(the_auditor_sees_what_is_wrong)
{
    struct play play = {.random = 1};

    play_start(&play);
    EXPECT_WRONG("acknowledged, and is nowhere", GRANTED);
    EXPECT_TEXT("", audit(&play, REFUSED));
    EXPECT_TEXT("", audit(&play, ASKED));
    enter_transfer(&play);
    EXPECT_TEXT("", audit(&play, GRANTED));
    EXPECT_TEXT("", audit(&play, ASKED));
    EXPECT_WRONG("was refused, and is there", REFUSED);
    EXPECT_WRONG("was answered with", BROKEN);

    postgres_ask(&play.postgres, "UPDATE account SET balance = balance + 1 WHERE id = 5");
    EXPECT_WRONG("account 5 in PostgreSQL has 1001", GRANTED);
    postgres_ask(&play.postgres, "UPDATE account SET balance = balance - 1 WHERE id = 5");

    postgres_ask(&play.postgres, "BEGIN; UPDATE account SET balance = 0 WHERE id = 4;"
                                 " PREPARE TRANSACTION 'somebody'");
    EXPECT_WRONG("PostgreSQL still has somebody", GRANTED);
    postgres_ask(&play.postgres, "ROLLBACK PREPARED 'somebody'");
    touch(&play, FILES_PATH "/.ktm.1", true);
    EXPECT_WRONG("'.ktm.1' was left behind", GRANTED);
    touch(&play, FILES_PATH "/.ktm.1", false);
    touch(&play, "books/branch.db-ktm.1", true);
    EXPECT_WRONG("was left behind", GRANTED);
    touch(&play, "books/branch.db-ktm.1", false);
    EXPECT_TEXT("", audit(&play, GRANTED));

    mariadb_ask(&play.mariadb, "DELETE FROM ledger;"
                               " UPDATE account SET balance = balance + 7 WHERE id = 0");
    EXPECT_WRONG("is in PostgreSQL, and has to be in PostgreSQL, MariaDB", GRANTED);
    play_end(&play);
}
