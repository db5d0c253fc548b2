// SPDX-License-Identifier: MIT
/*
 * The C++ classes of databases: rows, files and each other, together or not.
 *
 *     databases DIRECTORY [postgres CONNINFO] [mariadb SOCKET]
 *
 * The servers have a table account(id, amount) with 1, 100 and 2, 0.
 */
#include <cstring>

#include <ktm_mariadb.hpp>
#include <ktm_postgres.hpp>
#include <ktm_sqlite.hpp>

#include "facts.hpp"

static std::string top;

/* What happens to be thrown. */
template <typename Work>
static ktm::error
refused(const std::string &what, Work work)
{
    try {
        work();
    } catch (const ktm::error &error) {
        expect(true, what);
        return error;
    }
    expect(false, what + ": it was not refused");
    return {STATUS_SUCCESS, ""};
}

static bool
says(const ktm::error &error, const char *words)
{
    return std::strstr(error.what(), words) != nullptr;
}

/* How each is used; 'place' makes the n-th parameter's place. */
struct kind {
    std::string name;
    std::string (*place)(int);
    std::string text; /* of a statement that gives its parameter back */
};

static std::string
with_places(const kind &kind, std::string sql)
{
    size_t at;

    for (int n = 1; (at = sql.find('@')) != std::string::npos; n++)
        sql.replace(at, 1, kind.place(n));
    return sql;
}

template <typename Open>
static void
values(const kind &kind, ktm::home &home, Open open)
{
    ktm::transaction t(home);
    auto db = open(t);
    std::string odd = "\xc3\xbc ' \\ \" $1 ? \n";

    for (const char *text : {"", "NULL", odd.c_str()})
        expect(db.exec(kind.text, {text})[0][0] == text, kind.name + ": a text comes back");
    expect(!db.exec(kind.text, {nullptr})[0][0], kind.name + ": nothing comes back");
    expect(!db.exec(kind.text, {std::optional<int>()})[0][0], kind.name + ": nothing, too");
    expect(db.exec(kind.text, {-7})[0][0] == "-7", kind.name + ": a number");
    expect(db.exec(kind.text, {UINT64_MAX})[0][0] == "18446744073709551615", kind.name + ": large");
    expect(db.exec(kind.text, {0.5})[0][0] == "0.5", kind.name + ": a fraction");
    expect(db.exec(kind.text, {true})[0][0] == "1", kind.name + ": yes");
    expect(db.exec("SELECT 1 AS one, 2 AS two").columns() == std::vector<std::string>{"one", "two"},
           kind.name + ": columns have names");
    if (kind.name != "sqlite")
        refused("a NUL", [&] { db.exec(kind.text, {std::string("a\0b", 3)}); });
}

template <typename Open>
static void
together(const kind &kind, ktm::home &home, Open open)
{
    std::string note = top + "/note-" + kind.name;
    std::string take = with_places(kind, "UPDATE account SET amount = amount - @ WHERE id = @");

    {
        ktm::transaction t(home);
        auto db = open(t);

        expect(db.exec(take, {30, 1}).changed() == 1, kind.name + ": how many have changed");
        expect(db.exec("SELECT id FROM account").changed() == 0 || kind.name == "postgres",
               kind.name + ": rows are not changes");
        t.files().put(note, "70");
        int sum = 0;
        for (const auto &row : db.exec("SELECT amount FROM account ORDER BY id"))
            sum = sum * 1000 + std::stoi(row[0].value());
        expect(sum == 70000, kind.name + ": its own work is read");
        t.commit();
    }
    expect(exists(note), kind.name + ": both");
    {
        ktm::transaction t(home);
        auto db = open(t);

        expect(db.exec("SELECT amount FROM account WHERE id = 1")[0][0] == "70",
               kind.name + ": committed");
        db.exec(take, {70, 1});
        t.files().remove(note);
    }
    expect(exists(note), kind.name + ": out of scope, rolled back");
}

template <typename Open>
static void
refusals(const kind &kind, ktm::home &home, Open open)
{
    {
        ktm::transaction t(home);
        auto db = open(t);
        auto error = refused("a statement", [&] { db.exec("UPDATE nowhere SET amount = 1"); });

        expect(says(error, "nowhere") && !error.is_rolled_back() && !error.is_conflict(),
               kind.name + ": with the words of the database");
    }
    ktm::transaction t(home);
    auto db = open(t);

    expect(db.exec("SELECT amount FROM account WHERE id = 1")[0][0] == "70",
           kind.name + ": nothing was changed");
    t.rollback();
    refused("over is over", [&] { db.exec("SELECT 1"); });
    expect(refused("not committed", [&] { t.commit(); }).is_rolled_back(), "and told so");
}

template <typename Open>
static void
all(const kind &kind, Open open)
{
    ktm::home home(top + "/home-" + kind.name);

    values(kind, home, open);
    together(kind, home, open);
    refusals(kind, home, open);
}

static std::string
question(int)
{
    return "?";
}

static void
with_sqlite()
{
    std::string path = top + "/app.db";
    auto open = [&](ktm::transaction &t) { return ktm::sqlite(t, path); };

    {
        ktm::transaction t(top + "/home-sqlite");
        auto db = open(t);

        db.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER)");
        db.exec("INSERT INTO account VALUES (1, 100), (2, 0)");
        refused("two statements", [&] { db.exec("SELECT 1; SELECT 2"); });
        refused("none", [&] { db.exec(" "); });
        refused("too few", [&] { db.exec("SELECT ?"); });
        expect(db.exec("SELECT typeof(?), typeof(?), typeof(?)", {1, 0.5, "x"})[0][1] == "real",
               "SQLite gets values with their types");
        t.commit();
    }
    all({"sqlite", question, "SELECT ?"}, open);
}

static void
with_wal()
{
    std::string path = top + "/wal.db", note = top + "/wal.note";
    ktm::home home(top + "/home-wal");
    ktm_sqlite_options options = ktm::sqlite::defaults();
    sqlite3 *plain = nullptr;

    expect(sqlite3_open(path.c_str(), &plain) == SQLITE_OK &&
               sqlite3_exec(plain, "PRAGMA journal_mode=WAL; CREATE TABLE t (v)", nullptr, nullptr,
                            nullptr) == SQLITE_OK,
           "a database in WAL mode");
    sqlite3_close(plain);
    options.owns_wal = true;
    {
        ktm::transaction t(home);

        expect(says(refused("WAL", [&] { ktm::sqlite(t, path); }), "owns_wal"),
               "WAL is refused, with the way out");
    }
    {
        ktm::transaction t(home);
        ktm::sqlite db(t, path, options);

        db.exec("INSERT INTO t VALUES (1)");
        t.files().put(note, "1");
        t.commit();
    }
    ktm::transaction t(home);

    expect(ktm::sqlite(t, path, options).exec("SELECT v FROM t")[0][0] == "1" && exists(note),
           "a row in WAL mode and a file");
}

static void
with_postgres(const std::string &conninfo)
{
    all({"postgres", [](int n) { return "$" + std::to_string(n); }, "SELECT $1::text"},
        [&](ktm::transaction &t) { return ktm::postgres(t, conninfo); });
    ktm::transaction t(top + "/home-postgres");
    auto error = refused("no string", [&] { ktm::postgres(t, "user=a password=b c3cr3t"); });

    expect(says(error, "not shown") && !says(error, "c3cr3t"), "without secrets");
}

static void
with_mariadb(const char *socket)
{
    ktm_mariadb_server server{};

    server.socket = socket;
    server.user = "root";
    server.database = "shop";
    all({"mariadb", question, "SELECT ?"},
        [&](ktm::transaction &t) { return ktm::mariadb(t, server); });
    ktm::transaction t(top + "/home-mariadb"), other(top + "/home-mariadb");
    ktm::mariadb db(t, server), waiting(other, server);

    db.exec("UPDATE account SET amount = amount");
    waiting.exec("SET innodb_lock_wait_timeout = 0");
    expect(refused("a lock", [&] { waiting.exec("DELETE FROM account"); }).is_conflict(),
           "a conflict is told as one");
}

int
main(int count, char **words)
{
    top = words[1];
    with_sqlite();
    with_wal();
    for (int i = 2; i + 1 < count; i += 2) {
        if (std::strcmp(words[i], "postgres") == 0)
            with_postgres(words[i + 1]);
        else
            with_mariadb(words[i + 1]);
    }
    return end();
}
