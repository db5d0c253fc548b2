// SPDX-License-Identifier: MIT
/*
 * Transactions for C++ applications (C++17): what ktm.h and ktm_file.h have, with destructors and
 * exceptions. Databases have headers of their own: ktm_sqlite.hpp, ktm_postgres.hpp,
 * ktm_mariadb.hpp.
 *
 *     ktm::transaction t;                       // in the default home
 *     t.files().put("/etc/app/app.conf", text);
 *     t.files().remove("/etc/app/old.conf");
 *     t.commit();                               // throws ktm::error, and then nothing has happened
 *
 * A transaction that goes out of scope without commit() is rolled back. Every refusal is thrown as
 * a ktm::error with the status and a sentence: what happened, to which object, what to do.
 * Transactions are used by one thread at a time, and may be moved; what was got from one belongs to
 * it and ends with it. Homes are for any thread. Other resource managers take part with
 * transaction::get(), which is what their C functions want.
 *
 * What a crash has left is finished when files, or that database, are used again for the first
 * time. A program that makes many transactions keeps the home open, and with it the connections:
 *
 *     ktm::home home("/var/lib/shop");
 *     ktm::transaction t(home);
 */
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "ktm.h"
#include "ktm_file.h"

namespace ktm
{

/* A status that is not success, in words. */
class error : public std::runtime_error
{
  public:
    error(NTSTATUS status, const std::string &what) : std::runtime_error(what), status_(status)
    {
    }
    NTSTATUS
    status() const noexcept
    {
        return status_;
    }
    /* Everything is rolled back: it may be tried again. */
    bool
    is_rolled_back() const noexcept
    {
        return status_ == STATUS_TRANSACTION_ALREADY_ABORTED;
    }
    /* Another transaction was in the way: roll back, and try the whole transaction again. */
    bool
    is_conflict() const noexcept
    {
        return status_ == STATUS_TRANSACTIONAL_CONFLICT;
    }
    /* Before the commit: a server cannot be reached, or the connection is lost. Nothing happens. */
    bool
    is_disconnected() const noexcept
    {
        return status_ == STATUS_RM_DISCONNECTED;
    }

  private:
    NTSTATUS status_;
};

/* Thrown by commit(): it cannot be said whether it was committed; the next start finds out. */
class outcome_unknown : public error
{
  public:
    using error::error;
};

namespace detail
{

/* What a C function of the kind of ktm_error has to say. */
template <typename Error, typename Owner>
std::string
sentence(Error &&say, Owner *owner)
{
    std::string text(say(owner, nullptr, 0), '\0');

    say(owner, text.data(), text.size() + 1); /* the NUL is there already */
    return text;
}

/* Throws what was refused; 'text' may be empty, and 'advice' says what to do. */
[[noreturn]] inline void
refuse(NTSTATUS status, const std::string &text, const char *advice = "")
{
    std::string what = text.empty() ? ktm_status_text(status) : text;

    throw error(status, *advice ? what + "; " + advice : what);
}

} // namespace detail

/* Files and directories in one transaction; belongs to it. Paths are as in ktm_file.h. */
class files
{
  public:
    static constexpr uint32_t keep_mode = KTM_FILE_MODE_KEEP;

    void
    put(const std::string &path, std::string_view text, uint32_t mode = keep_mode)
    {
        check(ktm_file_put(raw_, path.c_str(), mode, ktm_file_bytes(text.data(), text.size())));
    }
    void
    put_file(const std::string &path, const std::string &from, uint32_t mode = keep_mode)
    {
        check(ktm_file_put(raw_, path.c_str(), mode, ktm_file_from(from.c_str())));
    }
    void
    append(const std::string &path, std::string_view text)
    {
        check(ktm_file_append(raw_, path.c_str(), ktm_file_bytes(text.data(), text.size())));
    }
    void
    remove(const std::string &path)
    {
        check(ktm_file_delete(raw_, path.c_str()));
    }
    void
    mkdir(const std::string &path, uint32_t mode = keep_mode)
    {
        check(ktm_file_mkdir(raw_, path.c_str(), mode));
    }
    void
    rmdir(const std::string &path)
    {
        check(ktm_file_rmdir(raw_, path.c_str()));
    }
    void
    rename(const std::string &from, const std::string &to, bool replace = false)
    {
        check(ktm_file_rename(raw_, from.c_str(), to.c_str(), replace ? KTM_FILE_REPLACE : 0));
    }
    void
    symlink(const std::string &path, const std::string &target)
    {
        check(ktm_file_symlink(raw_, path.c_str(), target.c_str()));
    }
    void
    tree(const std::string &to, const std::string &from)
    {
        check(ktm_file_tree(raw_, to.c_str(), from.c_str()));
    }
    /* All of a file, as this transaction sees it. */
    std::string
    read(const std::string &path)
    {
        ktm_file_info info{};
        std::string text;
        size_t got = 0;

        check(ktm_file_stat(raw_, path.c_str(), &info));
        text.resize(static_cast<size_t>(info.size));
        check(ktm_file_read(raw_, path.c_str(), 0, text.data(), text.size(), &got));
        text.resize(got);
        return text;
    }
    ktm_file_tx *
    get() const noexcept
    {
        return raw_;
    }

  private:
    friend class transaction;
    explicit files(ktm_file_tx *raw) : raw_(raw)
    {
    }
    void
    check(NTSTATUS status) const
    {
        if (status != STATUS_SUCCESS)
            detail::refuse(status, detail::sentence(ktm_file_error, raw_));
    }

    ktm_file_tx *raw_;
};

/* A home that is kept open; 'path' empty: the default one. */
class home
{
  public:
    explicit home(const std::string &path = {})
    {
        NTSTATUS status = ktm_open(path.empty() ? nullptr : path.c_str(), &raw_);

        if (status != STATUS_SUCCESS)
            throw error(status, "cannot open the home " + path + ": " + ktm_status_text(status));
    }
    ~home()
    {
        ktm_shut(raw_);
    }
    home(const home &) = delete;
    home &operator=(const home &) = delete;
    home(home &&other) noexcept : raw_(std::exchange(other.raw_, nullptr))
    {
    }
    home &
    operator=(home &&other) noexcept
    {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ktm_home *
    get() const noexcept
    {
        return raw_;
    }

  private:
    ktm_home *raw_ = nullptr;
};

/* What ktm_begin begins. */
class transaction
{
  public:
    /* In the home; or in that of this directory, empty: the default one. */
    explicit transaction(const home &in)
    {
        NTSTATUS status = ktm_begin(in.get(), &raw_); /* it keeps the home */

        if (status != STATUS_SUCCESS)
            throw error(status,
                        std::string("cannot begin a transaction: ") + ktm_status_text(status));
    }
    explicit transaction(const std::string &directory = {}) : transaction(home(directory))
    {
    }
    ~transaction()
    {
        ktm_end(raw_);
    }
    transaction(const transaction &) = delete;
    transaction &operator=(const transaction &) = delete;
    transaction(transaction &&other) noexcept : raw_(std::exchange(other.raw_, nullptr))
    {
    }
    transaction &
    operator=(transaction &&other) noexcept
    {
        if (this != &other) {
            ktm_end(raw_);
            raw_ = std::exchange(other.raw_, nullptr);
        }
        return *this;
    }

    class files
    files()
    {
        ktm_file_tx *part = nullptr;

        check(ktm_files(raw_, &part));
        return ktm::files(part);
    }
    /* Durable on return, everywhere. Throws also outcome_unknown. */
    void
    commit()
    {
        NTSTATUS status = ktm_commit(raw_);

        if (status == STATUS_RM_DISCONNECTED || status == STATUS_TRANSACTIONMANAGER_NOT_ONLINE)
            throw outcome_unknown(status, detail::sentence(ktm_error, raw_));
        check(status);
    }
    void
    rollback()
    {
        check(ktm_rollback(raw_));
    }
    ktm_tx *
    get() const noexcept
    {
        return raw_;
    }
    HANDLE
    handle() const noexcept
    {
        return ktm_transaction(raw_);
    }

    /* Throws what a C function has refused for this transaction. */
    void
    check(NTSTATUS status) const
    {
        if (status != STATUS_SUCCESS)
            detail::refuse(status, detail::sentence(ktm_error, raw_));
    }

  private:
    ktm_tx *raw_ = nullptr;
};

/* ---- databases: what their headers have in common ---- */

/* A parameter of a statement: a text, a number, or nothing, which is NULL. */
class value
{
  public:
    value(std::nullptr_t)
    {
    }
    value(std::nullopt_t)
    {
    }
    value(std::string text) : kept_(std::move(text))
    {
    }
    value(const char *text) : kept_(std::string(text))
    {
    }
    value(std::string_view text) : kept_(std::string(text))
    {
    }
    template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
    value(Number number)
    {
        if constexpr (std::is_floating_point_v<Number>)
            kept_ = static_cast<double>(number);
        else if (std::is_unsigned_v<Number> && static_cast<uint64_t>(number) > INT64_MAX)
            kept_ = digits(number);
        else
            kept_ = static_cast<int64_t>(number);
    }
    template <typename Kind> value(const std::optional<Kind> &maybe)
    {
        if (maybe)
            *this = value(*maybe);
    }

    /* As it travels to a server; without a value: NULL. */
    std::optional<std::string>
    text() const
    {
        if (auto *real = std::get_if<double>(&kept_))
            return digits(*real);
        if (auto *whole = std::get_if<int64_t>(&kept_))
            return digits(*whole);
        if (auto *text = std::get_if<std::string>(&kept_))
            return *text;
        return std::nullopt;
    }
    const std::variant<std::monostate, int64_t, double, std::string> &
    kept() const noexcept
    {
        return kept_;
    }

  private:
    template <typename Number>
    static std::string
    digits(Number number)
    {
        std::array<char, 64> text{};

        if constexpr (std::is_same_v<Number, bool>)
            return number ? "1" : "0";
        else
            return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
    }

    std::variant<std::monostate, int64_t, double, std::string> kept_;
};

using values = std::vector<value>;

/* What a statement has answered: rows of fields, and how many rows it has changed. A field is text,
 * as the database shows it; without a value: NULL. */
class result
{
  public:
    using field = std::optional<std::string>;
    using row = std::vector<field>;

    bool
    empty() const noexcept
    {
        return rows_.empty();
    }
    size_t
    size() const noexcept
    {
        return rows_.size();
    }
    const row &
    operator[](size_t index) const
    {
        return rows_.at(index);
    }
    auto
    begin() const noexcept
    {
        return rows_.begin();
    }
    auto
    end() const noexcept
    {
        return rows_.end();
    }
    const std::vector<std::string> &
    columns() const noexcept
    {
        return columns_;
    }
    uint64_t
    changed() const noexcept
    {
        return changed_;
    }

    /* For the headers of databases. */
    result(std::vector<std::string> columns, std::vector<row> rows, uint64_t changed)
        : columns_(std::move(columns)), rows_(std::move(rows)), changed_(changed)
    {
    }

  private:
    std::vector<std::string> columns_;
    std::vector<row> rows_;
    uint64_t changed_;
};

namespace detail
{

/* Parameters as the C functions of servers take them. */
class texts
{
  public:
    explicit texts(const values &parameters)
    {
        for (const value &parameter : parameters) {
            kept_.push_back(parameter.text());
            if (kept_.back() && kept_.back()->find('\0') != std::string::npos)
                throw error(STATUS_INVALID_PARAMETER, "a NUL inside a parameter that travels as "
                                                      "text: encode it, as in hexadecimal");
        }
        for (const std::optional<std::string> &text : kept_)
            pointers_.push_back(text ? text->c_str() : nullptr);
    }
    const char *const *
    data() const noexcept
    {
        return pointers_.data();
    }
    int
    size() const noexcept
    {
        return static_cast<int>(pointers_.size());
    }

  private:
    std::vector<std::optional<std::string>> kept_;
    std::vector<const char *> pointers_;
};

/* Throws what a database has refused, with its words and what can be done. */
template <typename Error, typename Part>
void
check(NTSTATUS status, Error &&say, Part *part)
{
    if (status != STATUS_SUCCESS)
        refuse(status, sentence(say, part), ktm_status_advice(status));
}

} // namespace detail

} // namespace ktm
