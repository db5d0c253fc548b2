// SPDX-License-Identifier: MIT
/*
 * Transactions for C++ applications (C++17): what ktm.h and ktm_file.h have, with destructors and
 * exceptions.
 *
 *     ktm::transaction t;                       // in the default home
 *     t.files().put("/etc/app/app.conf", text);
 *     t.files().remove("/etc/app/old.conf");
 *     t.commit();                               // throws ktm::error, and then nothing has happened
 *
 * A transaction that goes out of scope without commit() is rolled back. Every refusal is thrown as a
 * ktm::error with the status and the sentence of ktm_error. Objects are used by one thread at a time,
 * and may be moved. Other resource managers take part with transaction::get(), which is what their C
 * functions want.
 */
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ktm.h"
#include "ktm_file.h"

namespace ktm {

/* A status that is not success, in words. */
class error : public std::runtime_error {
  public:
    error(NTSTATUS status, const std::string &what) : std::runtime_error(what), status_(status) {}
    NTSTATUS
    status() const noexcept
    {
        return status_;
    }
    /* Everything is rolled back: it may be tried again. False: it is not known yet. */
    bool
    is_rolled_back() const noexcept
    {
        return status_ == STATUS_TRANSACTION_ALREADY_ABORTED;
    }

  private:
    NTSTATUS status_;
};

/* Files and directories in one transaction; belongs to it. Paths are as in ktm_file.h. */
class files {
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
    files(ktm_tx *tx, ktm_file_tx *raw) : tx_(tx), raw_(raw) {}
    void check(NTSTATUS status) const;

    ktm_tx *tx_;
    ktm_file_tx *raw_;
};

/* What ktm_begin begins. */
class transaction {
  public:
    /* 'home' empty: the default one. */
    explicit transaction(const std::string &home = {})
    {
        struct ktm_home *opened = nullptr;
        NTSTATUS status = ktm_open(home.empty() ? nullptr : home.c_str(), &opened);

        if (status == STATUS_SUCCESS)
            status = ktm_begin(opened, &raw_);
        if (opened)
            ktm_shut(opened); /* the transaction keeps it */
        if (status != STATUS_SUCCESS)
            throw error(status, std::string("cannot begin a transaction: ") +
                                    ktm_status_text(status));
    }
    ~transaction() { ktm_end(raw_); }
    transaction(const transaction &) = delete;
    transaction &operator=(const transaction &) = delete;
    transaction(transaction &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
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

        check(raw_, ktm_files(raw_, &part));
        return ktm::files(raw_, part);
    }
    /* Durable on return. */
    void
    commit()
    {
        check(raw_, ktm_commit(raw_));
    }
    void
    rollback()
    {
        check(raw_, ktm_rollback(raw_));
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

    /* Throws what a C function for this transaction has refused. */
    static void
    check(ktm_tx *tx, NTSTATUS status)
    {
        if (status == STATUS_SUCCESS)
            return;
        std::vector<char> text(ktm_error(tx, nullptr, 0) + 1);
        ktm_error(tx, text.data(), text.size());
        throw error(status, text[0] ? text.data() : ktm_status_text(status));
    }

  private:
    ktm_tx *raw_ = nullptr;
};

inline void
files::check(NTSTATUS status) const
{
    transaction::check(tx_, status);
}

} // namespace ktm
