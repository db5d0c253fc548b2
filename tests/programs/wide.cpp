// SPDX-License-Identifier: MIT
//
// A program for Windows, in C++, with wide literals: a volatile transaction manager whose one
// resource manager is told of three transactions through a completion port.
//
#include <windows.h>
#include <ktmw32.h>
#include <stdio.h>

namespace {

// A handle, closed at the end of its scope.
class Handle {
public:
    explicit Handle(HANDLE value) : value_(value == INVALID_HANDLE_VALUE ? nullptr : value) {}
    Handle(Handle &&other) noexcept : value_(other.value_) { other.value_ = nullptr; }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    ~Handle()
    {
        if (value_)
            CloseHandle(value_);
    }
    explicit operator bool() const { return value_ != nullptr; }
    operator HANDLE() const { return value_; }

private:
    HANDLE value_;
};

// A buffer on loan, found again by its OVERLAPPED.
struct Loan : OVERLAPPED {
    Loan() : OVERLAPPED() {}
    TRANSACTION_NOTIFICATION note = {};
    ULONG length = 0;
};

constexpr ULONG_PTR key = 4711;
constexpr NOTIFICATION_MASK phases = TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK;

template <typename Answer> bool next(HANDLE port, HANDLE rm, Answer answer)
{
    LPOVERLAPPED overlapped = nullptr;
    ULONG_PTR got = 0;
    DWORD bytes = 0;

    if (!GetQueuedCompletionStatus(port, &bytes, &got, &overlapped, 10000) || got != key)
        return false;
    auto loan = static_cast<Loan *>(overlapped);
    if (bytes != loan->length || !HasOverlappedIoCompleted(loan))
        return false;
    if (!answer(loan->note))
        return false;
    return GetNotificationResourceManagerAsync(rm, &loan->note, sizeof(loan->note), &loan->length,
                                               loan) ||
           GetLastError() == ERROR_IO_PENDING;
}

bool run_one(HANDLE port, HANDLE rm, LPCWSTR text, bool commits)
{
    Handle tx(CreateTransaction(nullptr, nullptr, TRANSACTION_DO_NOT_PROMOTE, 0, 0, INFINITE,
                                const_cast<LPWSTR>(text)));
    GUID id = {}, same = {};

    if (!tx || !GetTransactionId(tx, &id))
        return false;
    Handle enlistment(CreateEnlistment(nullptr, rm, tx, phases, 0, &id));
    if (!enlistment || !(commits ? CommitTransactionAsync(tx) : RollbackTransactionAsync(tx)) ||
        GetLastError() != ERROR_IO_PENDING)
        return false;
    auto answer = [&](const TRANSACTION_NOTIFICATION &note) {
        if (note.TransactionKey != &id)
            return false;
        if (note.TransactionNotification == TRANSACTION_NOTIFY_COMMIT)
            return CommitComplete(enlistment, nullptr) != FALSE;
        return RollbackComplete(enlistment, nullptr) != FALSE;
    };
    if (!next(port, rm, answer) || WaitForSingleObject(tx, 10000) != WAIT_OBJECT_0)
        return false;
    Handle again(OpenTransaction(TRANSACTION_QUERY_INFORMATION, &id));
    DWORD outcome = 0;
    if (!again || !GetTransactionId(again, &same) || !IsEqualGUID(id, same) ||
        !GetTransactionInformation(again, &outcome, nullptr, nullptr, nullptr, 0, nullptr))
        return false;
    printf("%s\n", outcome == TransactionOutcomeCommitted ? "committed" : "aborted");
    return true;
}

bool run()
{
    static GUID id = {0xb0a7, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}};
    Handle tm(CreateTransactionManager(nullptr, nullptr, TRANSACTION_MANAGER_VOLATILE, 0));
    Loan loan; // outlives the resource manager it is lent to
    Handle port(CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1));
    Handle rm(CreateResourceManager(nullptr, &id, RESOURCE_MANAGER_VOLATILE, tm,
                                    const_cast<LPWSTR>(L"boat")));

    if (!tm || !port || !rm || !SetResourceManagerCompletionPort(rm, port, key))
        return false;
    if (GetNotificationResourceManagerAsync(rm, &loan.note, sizeof(loan.note), &loan.length,
                                            &loan) ||
        GetLastError() != ERROR_IO_PENDING)
        return false;
    return run_one(port, rm, L"out", true) && run_one(port, rm, L"and back", false) &&
           run_one(port, rm, L"out again", true);
}

} // namespace

int main()
{
    if (run())
        return 0;
    printf("error %u\n", static_cast<unsigned>(GetLastError()));
    return 1;
}
