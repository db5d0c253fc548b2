// SPDX-License-Identifier: MIT
/*
 * SQLite in transactions of C++ applications (C++17): ktm_sqlite.h with ktm.hpp. Link as pkg-config
 * --libs ktm-sqlite sqlite3 says.
 *
 *     ktm::transaction t;
 *     ktm::sqlite db(t, "/var/lib/shop/shop.db");
 *     db.exec("UPDATE settings SET value = ? WHERE name = ?", {2, "version"});
 *     t.commit();
 *
 * A database in WAL mode, which nobody else has open meanwhile (ktm_sqlite.h):
 *
 *     ktm_sqlite_options options = ktm::sqlite::defaults();
 *     options.owns_wal = true;
 *     ktm::sqlite db(t, "/var/lib/shop/shop.db", options);
 */
#pragma once

#include <memory>
#include <string>

#include <sqlite3.h>

#include "ktm.hpp"
#include "ktm_sqlite.h"

namespace ktm
{

/* The database in one transaction; belongs to it. */
class sqlite
{
  public:
    sqlite(const transaction &in, const std::string &path)
    {
        in.check(ktm_sqlite(in.get(), path.c_str(), &raw_));
    }
    /* Opened in another way: the same options each time while the home is open. */
    sqlite(const transaction &in, const std::string &path, const ktm_sqlite_options &options)
    {
        in.check(ktm_sqlite_with(in.get(), path.c_str(), &options, &raw_));
    }
    /* What it is opened with when no options are given. */
    static ktm_sqlite_options
    defaults()
    {
        ktm_sqlite_options options{};

        options.mode = KTM_RM_CALLBACKS;
        options.busy_ms = 5000;
        return options;
    }
    /* One statement. The transaction can go on after one that was refused. */
    result
    exec(const std::string &sql, const values &parameters = {})
    {
        statement prepared = prepare(sql);

        bind(prepared.get(), parameters);
        return run(prepared.get());
    }
    ktm_sqlite_tx *
    get() const noexcept
    {
        return raw_;
    }

  private:
    struct finalized {
        void
        operator()(sqlite3_stmt *statement) const noexcept
        {
            sqlite3_finalize(statement);
        }
    };
    using statement = std::unique_ptr<sqlite3_stmt, finalized>;

    [[noreturn]] void
    refuse(int code) const
    {
        NTSTATUS status = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED
                              ? STATUS_TRANSACTIONAL_CONFLICT
                              : STATUS_UNSUCCESSFUL;

        detail::refuse(status, std::string("SQLite: ") + sqlite3_errmsg(ktm_sqlite_db(raw_)),
                       ktm_status_advice(status));
    }
    void
    check(int code) const
    {
        if (code != SQLITE_OK)
            refuse(code);
    }
    statement
    prepare(const std::string &sql) const
    {
        sqlite3_stmt *made = nullptr;
        const char *rest = nullptr;

        if (ktm_sqlite_state(raw_) != KTM_SQLITE_ACTIVE)
            detail::refuse(STATUS_TRANSACTION_NOT_ACTIVE, {});
        check(sqlite3_prepare_v2(ktm_sqlite_db(raw_), sql.c_str(), -1, &made, &rest));
        statement prepared(made);
        if (!made || std::string_view(rest).find_first_not_of(" \t\r\n") != std::string_view::npos)
            throw error(STATUS_INVALID_PARAMETER, "not one statement: '" + sql + "'");
        return prepared;
    }
    void
    bind(sqlite3_stmt *prepared, const values &parameters) const
    {
        if (sqlite3_bind_parameter_count(prepared) != static_cast<int>(parameters.size()))
            throw error(STATUS_INVALID_PARAMETER,
                        "another number of parameters than the statement has");
        for (size_t i = 0; i < parameters.size(); i++)
            check(bind(prepared, static_cast<int>(i) + 1, parameters[i]));
    }
    static int
    bind(sqlite3_stmt *prepared, int at, const value &parameter)
    {
        if (auto *whole = std::get_if<int64_t>(&parameter.kept()))
            return sqlite3_bind_int64(prepared, at, *whole);
        if (auto *real = std::get_if<double>(&parameter.kept()))
            return sqlite3_bind_double(prepared, at, *real);
        if (auto *text = std::get_if<std::string>(&parameter.kept()))
            return sqlite3_bind_text64(prepared, at, text->data(), text->size(), SQLITE_TRANSIENT,
                                       SQLITE_UTF8);
        return sqlite3_bind_null(prepared, at);
    }
    result
    run(sqlite3_stmt *prepared) const
    {
        std::vector<std::string> columns;
        std::vector<result::row> rows;
        int code;

        for (int column = 0; column < sqlite3_column_count(prepared); column++)
            columns.emplace_back(sqlite3_column_name(prepared, column));
        while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
            result::row &row = rows.emplace_back();

            for (int column = 0; column < sqlite3_column_count(prepared); column++)
                row.push_back(field(prepared, column));
        }
        if (code != SQLITE_DONE)
            refuse(code);
        return {std::move(columns), std::move(rows), changed(prepared)};
    }
    uint64_t
    changed(sqlite3_stmt *prepared) const
    {
        if (sqlite3_stmt_readonly(prepared))
            return 0;
        return static_cast<uint64_t>(sqlite3_changes(ktm_sqlite_db(raw_)));
    }
    static result::field
    field(sqlite3_stmt *prepared, int column)
    {
        if (sqlite3_column_type(prepared, column) == SQLITE_NULL)
            return std::nullopt;
        auto *data = static_cast<const char *>(sqlite3_column_blob(prepared, column));
        auto size = static_cast<size_t>(sqlite3_column_bytes(prepared, column));

        return data ? std::string(data, size) : std::string();
    }

    ktm_sqlite_tx *raw_ = nullptr;
};

} // namespace ktm
