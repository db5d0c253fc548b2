/* SPDX-License-Identifier: MIT */
/* What the tests of the verbs share, and tests of what all verbs share. */
#include "tests/test.h"

#include "tests/cli/run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

static void
read_back(const char *path, char *into, size_t size)
{
    FILE *file = fopen(path, "r");

    EXPECT(file);
    into[fread(into, 1, size - 1, file)] = '\0';
    EXPECT(fclose(file) == 0);
}

void
run_verb(struct ran *ran, const struct verb *verb, ...)
{
    char *arguments[32] = {(char *)verb->name}, out[512], err[512];
    int count = 1, status;
    va_list list;
    pid_t child;

    va_start(list, verb);
    while ((arguments[count] = va_arg(list, char *)))
        EXPECT(++count < 31);
    va_end(list);
    snprintf(out, sizeof(out), "%s/.out", test_directory());
    snprintf(err, sizeof(err), "%s/.err", test_directory());
    fflush(NULL);
    child = fork();
    if (child == 0) {
        if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr))
            _exit(126);
        exit(verb->run(count, arguments));
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    ran->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    read_back(out, ran->out, sizeof(ran->out));
    read_back(err, ran->err, sizeof(ran->err));
}

void
expect_says(const char *file, int line, const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        test_fail(file, line, "says: %s\n  must say: %s", text, wanted);
}

void
expect_json(const char *file, int line, const char *text)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *value;

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    value = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
    if (!value || json_tokener_get_error(tokener) != json_tokener_success)
        test_fail(file, line, "not JSON: %s", text);
    json_object_put(value);
    json_tokener_free(tokener);
}

/* ---- what a crash leaves ---- */

HANDLE
open_manager(const char *home)
{
    WCHAR units[600];
    UNICODE_STRING name = {.Buffer = units};
    HANDLE tm;

    for (const char *at = home; *at; at++)
        units[name.Length++] = (WCHAR)*at;
    for (const char *at = "/tm"; *at; at++)
        units[name.Length++] = (WCHAR)*at;
    name.Length = name.MaximumLength = (USHORT)(name.Length * sizeof(WCHAR));
    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &name, 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    return tm;
}

struct holder
hold_manager(const char *home)
{
    struct holder holder;
    int ready[2], hold[2];
    char byte;

    EXPECT(pipe(ready) == 0 && pipe(hold) == 0);
    holder.process = fork();
    if (holder.process == 0) {
        HANDLE tm = open_manager(home);

        close(hold[1]);
        EXPECT_EQ(1, write(ready[1], "", 1));
        (void)!read(hold[0], &byte, 1); /* its end */
        EXPECT_OK(NtClose(tm));
        _exit(0);
    }
    close(ready[1]);
    close(hold[0]);
    EXPECT(holder.process > 0 && read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    holder.hold = hold[1];
    return holder;
}

void
release_manager(struct holder holder)
{
    int status;

    close(holder.hold);
    EXPECT(waitpid(holder.process, &status, 0) == holder.process && status == 0);
}

static void
commit_one(HANDLE tm, HANDLE rm, bool is_finished, GUID *out)
{
    static WCHAR words[] = {'w', 'o', 'r', 'k'};
    UNICODE_STRING description = {.Length = 8, .MaximumLength = 8, .Buffer = words};
    TRANSACTION_BASIC_INFORMATION info;
    HANDLE tx, en;

    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL,
                                  &description));
    EXPECT_OK(NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, 0,
                                 TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |
                                     TRANSACTION_NOTIFY_ROLLBACK,
                                 NULL));
    EXPECT_OK(
        NtQueryInformationTransaction(tx, TransactionBasicInformation, &info, sizeof(info), NULL));
    *out = info.TransactionId;
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(en, NULL));
    if (is_finished)
        EXPECT_OK(NtCommitComplete(en, NULL));
}

void
leave(struct left *left, unsigned finished, unsigned unfinished)
{
    static WCHAR words[] = {'f', 'i', 'l', 'e', 's'};
    UNICODE_STRING description = {.Length = 10, .MaximumLength = 10, .Buffer = words};
    GUID *guids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    GUID id = {.Data1 = 7};
    HANDLE tm, rm;
    pid_t child;
    int status;

    snprintf(left->home, sizeof(left->home), "%s/home", test_directory());
    EXPECT(guids != MAP_FAILED && mkdir(left->home, 0700) == 0);
    child = fork();
    if (child == 0) {
        tm = open_manager(left->home);
        EXPECT_OK(NtCreateResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &id, NULL, 0,
                                          &description));
        EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
        for (unsigned i = 0; i < finished + unfinished; i++)
            commit_one(tm, rm, i < finished, &guids[i]);
        if (unfinished == 0) { /* an orderly end */
            EXPECT_OK(NtClose(rm));
            EXPECT_OK(NtClose(tm));
        }
        _exit(0); /* otherwise nothing is closed: this is the crash */
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    memcpy(left->guids, guids, sizeof(left->guids));
    munmap(guids, 4096);
}

/* ---- all verbs ---- */

TEST(every_verb_tells_about_itself)
{
    for (const struct verb *const *verb = verbs; *verb; verb++) {
        struct ran ran;
        char usage[64];

        snprintf(usage, sizeof(usage), "usage: ktm %s", (*verb)->name);
        run_verb(&ran, &verb_help, (*verb)->name, NULL);
        EXPECT_EQ(0, ran.code);
        EXPECT_SAYS(ran.out, usage);
        EXPECT_TEXT((*verb)->help, ran.out);
        if (*verb == &verb_help || *verb == &verb_version)
            continue;
        run_verb(&ran, *verb, "--help", NULL);
        EXPECT_EQ(0, ran.code);
        EXPECT_TEXT((*verb)->help, ran.out);
        run_verb(&ran, *verb, "-h", NULL);
        EXPECT_EQ(0, ran.code);
        run_verb(&ran, *verb, "--version", NULL);
        EXPECT_EQ(0, ran.code);
        EXPECT_SAYS(ran.out, "ktm ");
    }
}

TEST(help_lists_every_verb)
{
    struct ran ran;

    run_verb(&ran, &verb_help, NULL);
    EXPECT_EQ(0, ran.code);
    for (const struct verb *const *verb = verbs; *verb; verb++)
        EXPECT_SAYS(ran.out, (*verb)->summary);
    run_verb(&ran, &verb_help, "frobnicate", NULL);
    EXPECT_EQ(EXIT_USAGE, ran.code);
    EXPECT_SAYS(ran.err, "there is no verb 'frobnicate'");
}

TEST(wrong_options_are_named)
{
    static const struct verb *const some[] = {&verb_apply, &verb_recover, &verb_status,
                                              &verb_clock, &verb_tx,      &verb_log};
    static const struct {
        const char *option, *says;
    } cases[] = {{"--frobnicate", "'--frobnicate'"},
                 {"-x", "'-x'"},
                 {"--home", "needs an argument"},
                 {"--json=yes", "takes no argument"},
                 {"--h", "could be several"}};

    EACH (verb, some) {
        EACH (it, cases) {
            struct ran ran;

            run_verb(&ran, *verb, it->option, NULL);
            EXPECT_EQ(EXIT_USAGE, ran.code);
            EXPECT_TEXT("", ran.out);
            EXPECT_SAYS(ran.err, it->says);
            EXPECT_SAYS(ran.err, "see 'ktm help");
            EXPECT(strchr(ran.err, '\n') == ran.err + strlen(ran.err) - 1);
        }
    }
}
