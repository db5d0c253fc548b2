// SPDX-License-Identifier: MIT
/*
 * MariaDB in transactions of C++ applications (C++17): ktm_mariadb.h with ktm.hpp. Link as
 * pkg-config --libs ktm-mariadb libmariadb says.
 *
 *     ktm_mariadb_server server{};
 *     server.defaults_file = "/etc/shop/my.cnf";
 *     server.database = "shop";
 *
 *     ktm::transaction t;
 *     ktm::mariadb db(t, server);
 *     db.exec("UPDATE account SET amount = amount + ? WHERE id = ?", {5, "shop"});
 *     t.commit();
 */
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <mysql.h>

#include "ktm.hpp"
#include "ktm_mariadb.h"

namespace ktm
{

/* The database in one transaction; belongs to it. What a server is stands in ktm_mariadb.h. */
class mariadb
{
  public:
    mariadb(const transaction &in, const ktm_mariadb_server &server)
    {
        in.check(ktm_mariadb(in.get(), &server, &raw_));
    }
    /* One statement. One that was refused is undone alone; after a conflict all that is left is to
     * roll back. */
    result
    exec(const std::string &sql, const values &parameters = {})
    {
        answer got = ask(sql, parameters);

        if (got)
            return taken(got.get());
        got = ask("SELECT ROW_COUNT()", {});
        return {{}, {}, count(taken(got.get()))};
    }
    ktm_mariadb_tx *
    get() const noexcept
    {
        return raw_;
    }

  private:
    struct freed {
        void
        operator()(MYSQL_RES *rows) const noexcept
        {
            mysql_free_result(rows);
        }
    };
    using answer = std::unique_ptr<MYSQL_RES, freed>;

    answer
    ask(const std::string &sql, const values &parameters)
    {
        detail::texts texts(parameters);
        MYSQL_RES *rows = nullptr;

        detail::check(ktm_mariadb_exec(raw_, sql.c_str(), texts.size(), texts.data(), &rows),
                      ktm_mariadb_error, raw_);
        return answer(rows);
    }
    static result
    taken(MYSQL_RES *from)
    {
        std::vector<std::string> columns;
        std::vector<result::row> rows;

        for (unsigned column = 0; column < mysql_num_fields(from); column++)
            columns.emplace_back(mysql_fetch_field_direct(from, column)->name);
        while (MYSQL_ROW line = mysql_fetch_row(from)) {
            const unsigned long *sizes = mysql_fetch_lengths(from);
            result::row &row = rows.emplace_back();

            for (size_t column = 0; column < columns.size(); column++)
                row.push_back(line[column] ? result::field(std::string(line[column], sizes[column]))
                                           : std::nullopt);
        }
        return {std::move(columns), std::move(rows), 0};
    }
    static uint64_t
    count(const result &told)
    {
        long long number = std::strtoll(told[0][0].value_or("0").c_str(), nullptr, 10);

        return number > 0 ? static_cast<uint64_t>(number) : 0; /* -1: it is no such statement */
    }

    ktm_mariadb_tx *raw_ = nullptr;
};

} // namespace ktm
