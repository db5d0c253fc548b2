/* SPDX-License-Identifier: MIT */
/*
 * A program for Windows that is C and C++ at once, and whose literals are TEXT(...), with UNICODE:
 * here it is compiled with any width of wchar_t. It rolls one transaction back when its time is
 * over, and waits for that with an event.
 */
#ifndef UNICODE
#define UNICODE
#endif
#include <windows.h>
#include <ktmw32.h>
#include <stdio.h>

#ifndef ERROR_TRANSACTION_ALREADY_ABORTED /* the headers of mingw-w64 have not all */
#define ERROR_TRANSACTION_ALREADY_ABORTED 6704L
#endif

static int
failed(const char *what)
{
    printf("%s: error %u\n", what, (unsigned)GetLastError());
    return 1;
}

int
main(void)
{
    SECURITY_ATTRIBUTES attributes = {sizeof(attributes), NULL, FALSE};
    HANDLE event = CreateEvent(NULL, TRUE, FALSE, TEXT("never"));
    HANDLE tx = CreateTransaction(&attributes, NULL, 0, 0, 0, 50, (LPWSTR)TEXT("short-lived"));
    HANDLE both[2];
    DWORD outcome, timeout;
    TCHAR text[12];

    if (!event || tx == INVALID_HANDLE_VALUE)
        return failed("create");
    both[0] = event;
    both[1] = tx;
    if (WaitForMultipleObjects(2, both, FALSE, 10000) != WAIT_OBJECT_0 + 1)
        return failed("wait");
    if (!GetTransactionInformation(tx, &outcome, NULL, NULL, &timeout, ARRAYSIZE(text), text))
        return failed("information");
    if (timeout != 50 || text[5] != TEXT('-') || text[11] != 0)
        return failed("properties");
    if (CommitTransaction(tx) || GetLastError() != ERROR_TRANSACTION_ALREADY_ABORTED)
        return failed("commit");
    if (!SetEvent(event) || WaitForMultipleObjects(2, both, TRUE, 0) != WAIT_OBJECT_0)
        return failed("both");
    CloseHandle(event);
    CloseHandle(tx);
    puts(outcome == TransactionOutcomeAborted ? "aborted" : "committed");
    return 0;
}
