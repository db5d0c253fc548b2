// SPDX-License-Identifier: MIT
/*
 * PostgreSQL in transactions of C++ applications (C++17): ktm_postgres.h with ktm.hpp. Link as
 * pkg-config --libs ktm-postgres libpq says.
 *
 *     ktm::transaction t;
 *     ktm::postgres db(t, "service=shop");
 *     db.exec("UPDATE account SET amount = amount - $1 WHERE id = $2", {5, "shop"});
 *     t.commit();
 */
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <libpq-fe.h>

#include "ktm.hpp"
#include "ktm_postgres.h"

namespace ktm
{

/* The database in one transaction; belongs to it. The connection string is as in ktm_postgres.h. */
class postgres
{
  public:
    postgres(const transaction &in, const std::string &conninfo)
    {
        in.check(ktm_postgres(in.get(), conninfo.c_str(), &raw_));
    }
    /* One statement. After one that was refused the transaction can only be rolled back, or to a
     * SAVEPOINT of before. */
    result
    exec(const std::string &sql, const values &parameters = {})
    {
        detail::texts texts(parameters);
        PGresult *answer = nullptr;

        detail::check(ktm_postgres_exec(raw_, sql.c_str(), texts.size(), texts.data(), &answer),
                      ktm_postgres_error, raw_);
        return taken(std::unique_ptr<PGresult, decltype(&PQclear)>(answer, PQclear).get());
    }
    ktm_postgres_tx *
    get() const noexcept
    {
        return raw_;
    }

  private:
    static result
    taken(PGresult *answer)
    {
        std::vector<std::string> columns;
        std::vector<result::row> rows;

        for (int column = 0; column < PQnfields(answer); column++)
            columns.emplace_back(PQfname(answer, column));
        for (int line = 0; line < PQntuples(answer); line++) {
            result::row &row = rows.emplace_back();

            for (int column = 0; column < PQnfields(answer); column++)
                row.push_back(field(answer, line, column));
        }
        return {std::move(columns), std::move(rows),
                std::strtoull(PQcmdTuples(answer), nullptr, 10)};
    }
    static result::field
    field(const PGresult *answer, int line, int column)
    {
        if (PQgetisnull(answer, line, column))
            return std::nullopt;
        return std::string(PQgetvalue(answer, line, column),
                           static_cast<size_t>(PQgetlength(answer, line, column)));
    }

    ktm_postgres_tx *raw_ = nullptr;
};

} // namespace ktm
