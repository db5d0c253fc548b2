/* SPDX-License-Identifier: MIT */
/* SQL cut into statements, for both servers, and connection strings written and read. */
#include "tests/test.h"

#include "rm/server/server.h"

static void
cut(const char *text, enum sql_dialect dialect, char into[512])
{
    const char *at = text, *statement;
    size_t size;

    into[0] = '\0';
    while ((at = sql_next(at, dialect, &statement, &size)))
        sprintf(into + strlen(into), "[%.*s]", (int)size, statement);
}

TEST(a_semicolon_ends_a_statement_unless_it_is_hidden)
{
    static const struct {
        enum sql_dialect dialect;
        const char *text, *pieces;
    } rows[] = {
        {SQL_POSTGRES, "", ""},
        {SQL_POSTGRES, " ;; -- nothing", ""},
        {SQL_POSTGRES, "a;b", "[a][b]"},
        {SQL_POSTGRES, "a ; b;", "[a ][b]"},
        {SQL_POSTGRES, "'a;''b';c", "['a;''b'][c]"},
        {SQL_POSTGRES, "'a\\';b", "['a\\'][b]"},         /* a backslash is a character */
        {SQL_POSTGRES, "E'a\\';b';c", "[E'a\\';b'][c]"}, /* but not there */
        {SQL_POSTGRES, "nameE'a\\';b", "[nameE'a\\'][b]"},
        {SQL_POSTGRES, "\"a;\"\"b\";c", "[\"a;\"\"b\"][c]"},
        {SQL_POSTGRES, "$$a;b$$;c", "[$$a;b$$][c]"},
        {SQL_POSTGRES, "$x$a;$$;$x$;c", "[$x$a;$$;$x$][c]"},
        {SQL_POSTGRES, "$1;$2", "[$1][$2]"},
        {SQL_POSTGRES, "a$$b;c$$", "[a$$b][c$$]"}, /* a dollar in a name */
        {SQL_POSTGRES, "a /* ; /* ; */ ; */ b;c", "[a /* ; /* ; */ ; */ b][c]"},
        {SQL_POSTGRES, "/* ; */ a -- ;\n;b", "[a -- ;\n][b]"},
        {SQL_POSTGRES, "a # b;c", "[a # b][c]"},
        {SQL_POSTGRES, "'never; ended", "['never; ended]"},
        {SQL_MARIADB, "'a\\';b';c", "['a\\';b'][c]"},
        {SQL_MARIADB, "\"a\\\";b\";`c;d`", "[\"a\\\";b\"][`c;d`]"},
        {SQL_MARIADB, "# ;\na;b--c;d -- ;\n", "[a][b--c][d -- ;\n]"},
        {SQL_MARIADB, "/* /* ; */ a;b", "[a][b]"},
        {SQL_MARIADB, "$$a;b$$", "[$$a][b$$]"},
    };

    EACH (row, rows) {
        char pieces[512];

        cut(row->text, row->dialect, pieces);
        EXPECT_TEXT(row->pieces, pieces);
    }
}

TEST(what_begins_or_ends_a_transaction_is_known)
{
    static const char *const ends[] = {
        "commit",      "COMMIT WORK",        " /* x */ End",
        "-- x\nBEGIN", "start transaction",  "abort",
        "rollback",    "ROLLBACK AND CHAIN", "PREPARE transaction 'x'"};
    static const char *const goes_on[] = {"rollback to a",
                                          "ROLLBACK WORK TO SAVEPOINT a",
                                          "PREPARE x AS SELECT 1",
                                          "committed",
                                          "ending",
                                          "SAVEPOINT a",
                                          "SELECT 'COMMIT'"};

    EACH (text, ends)
        EXPECT(sql_ends_transaction(*text, SQL_POSTGRES));
    EACH (text, goes_on)
        EXPECT(!sql_ends_transaction(*text, SQL_POSTGRES));
    EXPECT(sql_ends_transaction("XA END 'x'", SQL_MARIADB));
    EXPECT(sql_ends_transaction("/*!40101 SELECT */", SQL_MARIADB) == false);
}

TEST(a_statement_is_sorted_by_its_first_word)
{
    static const char *const changes[] = {
        "INSERT INTO t VALUES (1)", " /* x */ update t SET a = ';'", "-- x\nDelete FROM t;\n ;",
        "merge INTO t", "REPLACE t VALUES (1)"};
    static const char *const queries[] = {"SELECT 1", "with x AS (SELECT 1) DELETE FROM t",
                                          "VALUES (1);", "TABLE t"};
    static const char *const others[] = {"",
                                         ";",
                                         "INSERT INTO t VALUES (1); DELETE FROM t",
                                         "SELECT 1; DEALLOCATE ALL",
                                         "(SELECT 1)",
                                         "COPY t FROM STDIN",
                                         "DISCARD ALL",
                                         "updates",
                                         "SET ROLE nobody"};

    EACH (text, changes)
        EXPECT_EQ(SQL_CHANGE, sql_sort(*text, SQL_POSTGRES));
    EACH (text, queries)
        EXPECT_EQ(SQL_QUERY, sql_sort(*text, SQL_POSTGRES));
    EACH (text, others)
        EXPECT_EQ(SQL_OTHER, sql_sort(*text, SQL_POSTGRES));
}

/* ---- connection strings ---- */

static NTSTATUS
add_pair(void *into, const char *word, const char *value)
{
    conninfo_add(into, word, value);
    return STATUS_SUCCESS;
}

TEST(what_is_written_is_read_again)
{
    static const char *const values[] = {"plain", "",  "with a blank", "it's", "back\\slash",
                                         "a=b",   "'", "\xc3\xbc"};

    EACH (value, values) {
        struct conninfo first = {0}, second = {0};

        conninfo_add(&first, "host", "h");
        conninfo_add(&first, "user", *value);
        EXPECT(!first.is_lost);
        EXPECT_OK(conninfo_read(first.text, add_pair, &second));
        EXPECT_TEXT(first.text, second.text);
    }
}

TEST(what_cannot_be_kept_is_noticed)
{
    struct conninfo info = {0};
    char *large = calloc(1, CONNINFO_SIZE + 1);

    conninfo_add(&info, "user", "two\nlines");
    EXPECT(info.is_lost);
    info = (struct conninfo){0};
    memset(large, 'x', CONNINFO_SIZE);
    conninfo_add(&info, "user", large);
    EXPECT(info.is_lost && strlen(info.text) < CONNINFO_SIZE);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, conninfo_read(large, add_pair, &info));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, conninfo_read("a", add_pair, &info));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, conninfo_read("a='b", add_pair, &info));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, conninfo_read("=b", add_pair, &info));
    free(large);
}
