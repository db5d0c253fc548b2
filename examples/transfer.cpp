// SPDX-License-Identifier: MIT
/*
 * Money moves from a PostgreSQL database to a MariaDB server, in one transaction.
 *
 *     c++ -std=c++17 -o transfer transfer.cpp \
 *         $(pkg-config --cflags --libs ktm ktm-postgres libpq ktm-mariadb libmariadb)
 *     ./transfer HOME CONNINFO OPTIONS move AMOUNT   both change, or neither
 *     ./transfer HOME CONNINFO OPTIONS show          prints both
 *
 * HOME is a directory for the log, CONNINFO a connection string such as "service=bank", and OPTIONS
 * an option file of MariaDB whose group [client] says where the server is and who we are. Both
 * have, in MariaDB in the database 'bank',
 *
 *     CREATE TABLE account (owner VARCHAR(40) PRIMARY KEY, amount INTEGER NOT NULL);
 *
 * and the account of 'shop' in it.
 *
 * There is nothing here about crashes: that both take part, in any transaction, finishes what one
 * has left. So 'show' does, and never sees the money in both places or in none.
 */
#include <cstdlib>
#include <iostream>

#include <ktm_mariadb.hpp>
#include <ktm_postgres.hpp>

enum { DONE = 0, ROLLED_BACK = 1, WRONG_USE = 2, UNKNOWN = 3 }; /* exit status */
enum { TRIES = 5 };

static ktm_mariadb_server
server_of(const char *options)
{
    ktm_mariadb_server server{};

    server.defaults_file = options;
    server.database = "bank";
    return server;
}

/* Both in one transaction. */
struct banks {
    banks(ktm::transaction &t, char **words) : from(t, words[2]), to(t, server_of(words[3]))
    {
    }
    ktm::postgres from;
    ktm::mariadb to;
};

static void
move(ktm::home &home, char **words, long amount)
{
    ktm::transaction t(home);
    banks both(t, words);

    ktm::result taken = both.from.exec("UPDATE account SET amount = amount - $1"
                                       " WHERE owner = 'shop' AND amount >= $1",
                                       {amount});

    if (taken.changed() != 1)
        throw ktm::error(STATUS_TRANSACTION_ALREADY_ABORTED, "there is not so much money");
    both.to.exec("UPDATE account SET amount = amount + ? WHERE owner = 'shop'", {amount});
    t.commit();
}

/* A conflict is nobody's fault: the whole transaction is tried again. */
static void
move_patiently(ktm::home &home, char **words, long amount)
{
    for (int left = TRIES; left > 0; left--)
        try {
            return move(home, words, amount);
        } catch (const ktm::error &error) {
            if (!error.is_conflict() || left == 1)
                throw;
        }
}

static void
show(ktm::home &home, char **words)
{
    static const char *const sql = "SELECT amount FROM account WHERE owner = 'shop'";
    ktm::transaction t(home);
    banks both(t, words);

    std::cout << "PostgreSQL " << both.from.exec(sql)[0][0].value_or("?") << " MariaDB "
              << both.to.exec(sql)[0][0].value_or("?") << "\n";
}

int
main(int count, char **words)
{
    std::string verb = count > 4 ? words[4] : "";

    if (!(verb == "move" && count == 6) && !(verb == "show" && count == 5)) {
        std::cerr << "usage: transfer HOME CONNINFO OPTIONS move AMOUNT|show\n";
        return WRONG_USE;
    }
    try {
        ktm::home home(words[1]);

        if (verb == "move")
            move_patiently(home, words, std::atol(words[5]));
        else
            show(home, words);
        return DONE;
    } catch (const ktm::outcome_unknown &error) {
        std::cerr << "transfer: " << error.what() << "\n";
        return UNKNOWN;
    } catch (const ktm::error &error) {
        std::cerr << "transfer: nothing was changed: " << error.what() << "\n";
        return ROLLED_BACK;
    }
}
