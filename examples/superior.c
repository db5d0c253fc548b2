/* SPDX-License-Identifier: MIT */
/*
 * A superior coordinator: one decision over two transaction managers.
 *
 *     cc -o superior superior.c $(pkg-config --cflags --libs ktm)
 *     ./superior put DIR NAME TEXT   DIR/east/NAME and DIR/west/NAME become TEXT, both or neither
 *     ./superior try DIR NAME TEXT   the same up to the decision, which is no: a rehearsal
 *     ./superior recover DIR         finishes what a crash left; 'put' and 'try' begin with it
 *
 * Two sites, east and west, have a transaction manager each, with a log of its own and a resource
 * manager for files. Neither knows the other. Above them stands a coordinator, this program, which
 * is to each of them a resource manager that has enlisted as a superior: the transaction manager
 * does not decide any more, it asks.
 *
 *      this program                        each of the two transaction managers
 *      NtPrePrepareEnlistment         ->   phase 0: who caches, writes out
 *                                     <-   PREPREPARE_COMPLETE
 *      NtPrepareEnlistment            ->   phase 1: everybody promises; a PREPARE record is forced
 *                                     <-   PREPARE_COMPLETE, or ROLLBACK when somebody cannot
 *      the decision, in its own log        (undecided until it is told: that is the promise)
 *      NtCommitEnlistment             ->   phase 2: a COMMIT record is forced, everybody is told
 *                                     <-   COMMIT_COMPLETE: nobody will ask again
 *
 * The one moment that counts is when journal_append() returns in decide(): before, a crash means
 * rollback in both sites, because nothing is found in the journal (presumed abort); after, it means
 * commit in both, because every restart reads the decision there and delivers it until both have
 * said COMMIT_COMPLETE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktm.h>
#include <ktm_file.h>
#include <wdm.h>

enum { SITES = 2, DECISIONS_MAX = 64, PATH_SIZE = 4096, PATIENCE = 2 /* seconds */ };
enum { DONE = 0, ROLLED_BACK = 1, WRONG_USE = 2, UNFINISHED = 3 }; /* exit status */

static const char *const site_names[SITES] = {"east", "west"};

/* The coordinator's identity as a resource manager, the same at every start: by it a transaction
 * manager knows whom to ask about what it has prepared. */
static GUID coordinator_id = {0x7c1d3a52, 0x40b6, 0x4e1f, {0x9a, 0x11, 0x5e, 0x70, 0xc0, 0, 0, 1}};

/* What ends a phase must be asked for, or the call that begins it is refused. */
#define SUPERIOR_MASK                                                                              \
    (TRANSACTION_NOTIFY_PREPREPARE_COMPLETE | TRANSACTION_NOTIFY_PREPARE_COMPLETE |                \
     TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE |                   \
     TRANSACTION_NOTIFY_ROLLBACK)

struct site {
    const char *name;
    HANDLE tm;                 /* its transaction manager */
    HANDLE rm;                 /* we, registered there */
    struct ktm_file_rm *files; /* its resource manager, for files */
    /* of the transaction under way */
    HANDLE transaction, superior;
    struct ktm_file_tx *work;
    bool is_over; /* it has rolled back */
};

/* One decision for commit: which superior enlistments it is about, one in each site. */
struct decision {
    GUID enlistments[SITES];
    HANDLE superiors[SITES]; /* while it is delivered */
    bool is_delivered[SITES];
};

static char directory[PATH_SIZE]; /* DIR/state */
static struct site sites[SITES];
static struct decision decisions[DECISIONS_MAX]; /* made, and not known to be delivered */
static int decision_count;
static LARGE_INTEGER highest; /* virtual clock seen anywhere */

/* Before the decision a coordinator may always just stop, and so may one that cannot go on after
 * it: the next start does the rest. That makes the handling of errors short. */
static void __attribute__((noreturn)) stop(const char *what, const char *why)
{
    fprintf(stderr, "superior: %s: %s; 'superior recover' finishes it\n", what, why);
    exit(UNFINISHED);
}

static void
must(NTSTATUS status, const char *what)
{
    if (!NT_SUCCESS(status))
        stop(what, ktm_status_text(status));
}

static void
must_do(bool is_done, const char *what)
{
    if (!is_done)
        stop(what, strerror(errno));
}

static const char *
in_state(const char *name, char path[PATH_SIZE])
{
    must_do(snprintf(path, PATH_SIZE, "%s/%s", directory, name) < PATH_SIZE, name);
    return path;
}

/* ---- the journal: the decisions ---------------------------------------------------------------
 *
 * One line for each: what, the two enlistments, a sum over both. "commit": decided. "done":
 * delivered, to be forgotten; it is not forced, for without it the decision is only delivered once
 * more, to sites that do not know it any more. Nothing is written for a rollback.
 */

#define LINE_FORMAT "%-6s %s %s %08x\n"
enum { HEX_SIZE = 33, LINE_SIZE = 7 + 33 + 33 + 9 };

static int journal = -1;

static void
hex(const GUID *guid, char out[HEX_SIZE])
{
    uint8_t bytes[sizeof(*guid)];

    memcpy(bytes, guid, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* A torn line must not pass for a whole one. */
static void
line_print(const char *what, const GUID enlistments[SITES], char line[LINE_SIZE + 1])
{
    char east[HEX_SIZE], west[HEX_SIZE];
    unsigned sum = 2166136261u;

    hex(&enlistments[0], east);
    hex(&enlistments[1], west);
    snprintf(line, LINE_SIZE + 1, LINE_FORMAT, what, east, west, 0u);
    for (int i = 0; i < LINE_SIZE; i++)
        sum = (sum ^ (unsigned char)line[i]) * 16777619u;
    snprintf(line, LINE_SIZE + 1, LINE_FORMAT, what, east, west, sum);
}

static void
journal_append(int file, const char *what, const GUID enlistments[SITES])
{
    char line[LINE_SIZE + 1];

    line_print(what, enlistments, line);
    must_do(write(file, line, LINE_SIZE) == LINE_SIZE, "cannot write the journal");
}

/* False: the line is torn, so that it and what follows was never written. */
static bool
line_read(const char *line)
{
    char what[7], east[HEX_SIZE], west[HEX_SIZE], again[LINE_SIZE + 1];
    GUID enlistments[SITES];
    unsigned sum;
    int found = 0;

    if (sscanf(line, "%6s %32[0-9a-f] %32[0-9a-f] %8x", what, east, west, &sum) != 4)
        return false;
    for (size_t i = 0; i < sizeof(GUID); i++) {
        sscanf(east + 2 * i, "%2hhx", (unsigned char *)&enlistments[0] + i);
        sscanf(west + 2 * i, "%2hhx", (unsigned char *)&enlistments[1] + i);
    }
    line_print(what, enlistments, again);
    if (memcmp(line, again, LINE_SIZE) != 0)
        return false;
    while (found < decision_count &&
           memcmp(decisions[found].enlistments, enlistments, sizeof(enlistments)) != 0)
        found++;
    if (strcmp(what, "commit") != 0) {
        if (found < decision_count)
            decisions[found] = decisions[--decision_count];
        return true;
    }
    if (found == DECISIONS_MAX)
        stop("the journal", "too many decisions");
    memcpy(decisions[found].enlistments, enlistments, sizeof(enlistments));
    decision_count += found == decision_count;
    return true;
}

/* Reads the journal, and writes what is still to be delivered anew, under another name that then
 * takes its place: so it does not grow, has no torn end, and what was read is durable before
 * anybody is told of it, also when an earlier run could not make it so. */
static void
journal_open(void)
{
    char path[PATH_SIZE], new_path[PATH_SIZE], line[LINE_SIZE + 1] = "";
    int old = open(in_state("decisions", path), O_RDONLY | O_CLOEXEC);
    int where = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    must_do(where >= 0 && (old >= 0 || errno == ENOENT), "cannot read the journal");
    while (old >= 0 && read(old, line, LINE_SIZE) == LINE_SIZE && line_read(line))
        continue;
    if (old >= 0)
        close(old);
    journal = open(in_state("decisions.new", new_path),
                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    must_do(journal >= 0, "cannot make the journal");
    for (int i = 0; i < decision_count; i++)
        journal_append(journal, "commit", decisions[i].enlistments);
    must_do(fdatasync(journal) == 0 && rename(new_path, path) == 0 && fsync(where) == 0,
            "cannot make the journal durable");
    close(where);
}

/* ---- talking with a site ----------------------------------------------------------------------
 */

/* The next thing it says to us; 0: nothing within this time. '*argument' comes with RECOVER_QUERY.
 */
static ULONG
hear(struct site *site, int seconds, void **key,
     TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument)
{
    union {
        TRANSACTION_NOTIFICATION head;
        uint8_t bytes[sizeof(TRANSACTION_NOTIFICATION) + sizeof(*argument)];
    } note;
    LARGE_INTEGER timeout = {.QuadPart = seconds * -10000000LL};
    NTSTATUS status =
        NtGetNotificationResourceManager(site->rm, &note.head, sizeof(note), &timeout, NULL, 0, 0);

    must(status, site->name);
    if (status == STATUS_TIMEOUT)
        return 0;
    /* Who takes part in several places passes on the highest clock it has seen: then one value of
     * the clock means the same in all logs, and they can be rolled forward to a common point. */
    if (note.head.TmVirtualClock.QuadPart > highest.QuadPart)
        highest = note.head.TmVirtualClock;
    if (key)
        *key = note.head.TransactionKey;
    if (argument && note.head.ArgumentLength == sizeof(*argument))
        memcpy(argument, note.bytes + sizeof(note.head), sizeof(*argument));
    return note.head.TransactionNotification;
}

/* One phase in one site: asks for it and waits for its end. False: it has rolled back instead, or
 * cannot answer. */
static bool
phase(struct site *site, NTSTATUS NTAPI (*ask)(HANDLE, PLARGE_INTEGER), ULONG end)
{
    NTSTATUS status = ask(site->superior, &highest);
    ULONG said = 0;

    if (NT_SUCCESS(status))
        said = hear(site, PATIENCE, NULL, NULL);
    if (said == end)
        return true;
    if (said == TRANSACTION_NOTIFY_ROLLBACK) {
        site->is_over = true;
        must(NtRollbackComplete(site->superior, NULL), site->name);
    }
    return false;
}

/* ---- one transaction over both ----------------------------------------------------------------
 */

/* The work of a site: here one file. In a real program this is where applications come in; all they
 * need is the transaction handle. */
static bool
begin(struct site *site, const char *top, const char *name, const char *text)
{
    char path[PATH_SIZE], why[512] = "";

    must(NtCreateTransaction(&site->transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, site->tm, 0, 0,
                             0, NULL, NULL),
         site->name);
    /* From here on only we may commit it: a client that tries is refused. */
    must(NtCreateEnlistment(&site->superior, ENLISTMENT_ALL_ACCESS, site->rm, site->transaction,
                            NULL, ENLISTMENT_SUPERIOR, SUPERIOR_MASK, NULL),
         site->name);
    must(ktm_file_begin(site->files, site->transaction, &site->work), site->name);
    must_do(snprintf(path, sizeof(path), "%s/%s/%s", top, site->name, name) < PATH_SIZE, name);
    if (ktm_file_put(site->work, path, KTM_FILE_MODE_KEEP, ktm_file_bytes(text, strlen(text))) ==
        STATUS_SUCCESS)
        return true;
    ktm_file_error(site->work, why, sizeof(why));
    fprintf(stderr, "superior: %s\n", why);
    return false;
}

static bool
prepare_all(void)
{
    bool are_ready = true;

    for (int i = 0; are_ready && i < SITES; i++)
        are_ready =
            phase(&sites[i], NtPrePrepareEnlistment, TRANSACTION_NOTIFY_PREPREPARE_COMPLETE);
    for (int i = 0; are_ready && i < SITES; i++)
        are_ready = phase(&sites[i], NtPrepareEnlistment, TRANSACTION_NOTIFY_PREPARE_COMPLETE);
    return are_ready;
}

/* The commit point is the return of fdatasync. When it fails, the decision may be on the disk or
 * not, and nobody may be told anything: the next start finds out. */
static void
decide(GUID enlistments[SITES])
{
    for (int i = 0; i < SITES; i++) {
        ENLISTMENT_BASIC_INFORMATION info;

        must(NtQueryInformationEnlistment(sites[i].superior, EnlistmentBasicInformation, &info,
                                          sizeof(info), NULL),
             sites[i].name);
        enlistments[i] = info.EnlistmentId;
    }
    journal_append(journal, "commit", enlistments);
    must_do(fdatasync(journal) == 0, "cannot make the decision durable");
}

static int
commit_all(void)
{
    GUID enlistments[SITES];

    decide(enlistments);
    for (int i = 0; i < SITES; i++)
        if (!phase(&sites[i], NtCommitEnlistment, TRANSACTION_NOTIFY_COMMIT_COMPLETE))
            stop(sites[i].name, "has not finished yet what was committed");
    journal_append(journal, "done", enlistments);
    puts("committed");
    return DONE;
}

static int
roll_back_all(void)
{
    for (int i = 0; i < SITES; i++)
        if (sites[i].superior && !sites[i].is_over)
            (void)NtRollbackEnlistment(sites[i].superior, &highest);
    puts("rolled back");
    return ROLLED_BACK;
}

static int
put(const char *top, const char *name, const char *text, bool is_meant)
{
    bool are_ready = true;
    int result;

    for (int i = 0; are_ready && i < SITES; i++)
        are_ready = begin(&sites[i], top, name, text);
    are_ready = are_ready && prepare_all();
    result = are_ready && is_meant ? commit_all() : roll_back_all();
    for (int i = 0; i < SITES; i++) {
        ktm_file_close(sites[i].work);
        if (sites[i].superior)
            NtClose(sites[i].superior);
        if (sites[i].transaction)
            NtClose(sites[i].transaction);
    }
    return result;
}

/* ---- starting, which is recovering ------------------------------------------------------------
 */

static bool
is_decided(int site, const GUID *enlistment)
{
    for (int i = 0; i < decision_count; i++)
        if (memcmp(&decisions[i].enlistments[site], enlistment, sizeof(*enlistment)) == 0)
            return true;
    return false;
}

/* The site has prepared a transaction and asks for its outcome. What we have not decided to commit
 * we never shall: whoever was to decide it is dead. */
static void
answer(int number, GUID *enlistment)
{
    HANDLE superior;

    if (is_decided(number, enlistment))
        return; /* deliver() is for these */
    must(NtOpenEnlistment(&superior, ENLISTMENT_ALL_ACCESS, sites[number].rm, enlistment, NULL),
         sites[number].name);
    must(NtRollbackEnlistment(superior, NULL), sites[number].name);
    NtClose(superior);
}

/* Registers with a site, and hears what it has to ask. */
static void
recover_site(int number)
{
    TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT argument;
    struct site *site = &sites[number];
    ULONG said;

    must(NtCreateResourceManager(&site->rm, RESOURCEMANAGER_ALL_ACCESS, site->tm, &coordinator_id,
                                 NULL, 0, NULL),
         site->name);
    must(NtRecoverResourceManager(site->rm), site->name);
    while ((said = hear(site, PATIENCE, NULL, &argument)) != TRANSACTION_NOTIFY_LAST_RECOVER)
        if (said == TRANSACTION_NOTIFY_RECOVER_QUERY)
            answer(number, &argument.EnlistmentId);
        else if (said == 0)
            stop(site->name, "does not answer");
}

/* Tells a site once more what was decided. It may have heard it and not been able to finish, or
 * have finished and forgotten: then it does not know the enlistment, and that is the answer. */
static void
deliver(struct decision *decision, int number)
{
    struct site *site = &sites[number];
    HANDLE *superior = &decision->superiors[number];
    NTSTATUS status = NtOpenEnlistment(superior, ENLISTMENT_ALL_ACCESS, site->rm,
                                       &decision->enlistments[number], NULL);

    if (status == STATUS_ENLISTMENT_NOT_FOUND) {
        decision->is_delivered[number] = true;
        return;
    }
    must(status, site->name);
    must(NtRecoverEnlistment(*superior, &decision->is_delivered[number]), site->name);
    must(NtCommitEnlistment(*superior, NULL), site->name);
}

/* Waits until the site has said COMMIT_COMPLETE to all. */
static void
await_complete(int number)
{
    for (;;) {
        int owed = 0;
        void *key;

        for (int i = 0; i < decision_count; i++)
            owed += !decisions[i].is_delivered[number];
        if (owed == 0)
            return;
        switch (hear(&sites[number], PATIENCE, &key, NULL)) {
        case 0:
            stop(sites[number].name, "has not finished yet what was committed");
        case TRANSACTION_NOTIFY_COMMIT_COMPLETE:
            *(bool *)key = true;
        }
    }
}

static void
finish_decisions(void)
{
    for (int i = 0; i < SITES; i++)
        await_complete(i);
    for (int i = 0; i < decision_count; i++) {
        for (int k = 0; k < SITES; k++)
            if (decisions[i].superiors[k])
                NtClose(decisions[i].superiors[k]);
        journal_append(journal, "done", decisions[i].enlistments);
    }
    if (decision_count)
        printf("delivered: %d decision%s\n", decision_count, decision_count == 1 ? "" : "s");
}

/* The order of recovery does not matter, between the sites, nor in one between superior and
 * resource managers; only that the journal comes before the first answer. The transaction managers
 * come first of all: they make what directories are missing, durably, and a second process finds
 * their logs in use, and stops. */
static void
start(const char *top)
{
    char path[PATH_SIZE], why[512] = "";

    must_do(snprintf(directory, sizeof(directory), "%s/state", top) < PATH_SIZE, top);
    for (int i = 0; i < SITES; i++) {
        sites[i].name = site_names[i];
        must(ktm_tm_open(in_state(site_names[i], path), &sites[i].tm), site_names[i]);
    }
    journal_open();
    for (int i = 0; i < SITES; i++) {
        recover_site(i);
        for (int k = 0; k < decision_count; k++)
            deliver(&decisions[k], i);
        if (ktm_file_open(sites[i].tm, in_state(site_names[i], path), NULL, why, sizeof(why),
                          &sites[i].files) != STATUS_SUCCESS)
            stop(site_names[i], why);
    }
    finish_decisions();
}

static void
shut(void)
{
    for (int i = 0; i < SITES; i++) {
        ktm_file_shut(sites[i].files);
        NtClose(sites[i].rm);
        NtClose(sites[i].tm);
    }
    close(journal);
}

int
main(int count, char **arguments)
{
    const char *verb = count > 1 ? arguments[1] : "";
    bool is_put = strcmp(verb, "put") == 0, is_try = strcmp(verb, "try") == 0;
    char *top;
    int result = DONE;

    if (!(count == 5 && (is_put || is_try)) && !(count == 3 && strcmp(verb, "recover") == 0)) {
        fprintf(stderr, "usage: superior put|try DIR NAME TEXT\n"
                        "       superior recover DIR\n");
        return WRONG_USE;
    }
    top = realpath(arguments[2], NULL); /* logs have absolute names */
    if (!top) {
        perror(arguments[2]);
        return WRONG_USE;
    }
    start(top);
    if (count == 5)
        result = put(top, arguments[3], arguments[4], is_put);
    shut();
    free(top);
    return result;
}
