/* SPDX-License-Identifier: MIT */
/*
 * A resource manager in an afternoon: two boxes of named texts that change together.
 *
 *     cc -o box box.c $(pkg-config --cflags --libs ktm)
 *     ./box put DIR NAME TEXT   DIR/east/NAME and DIR/west/NAME become TEXT, both or neither
 *     ./box try DIR NAME TEXT   the same, but rolled back: a rehearsal
 *     ./box recover DIR         finishes what a crash left; 'put' and 'try' begin with it
 *
 * docs/write-a-resource-manager.md explains it from top to bottom.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktm_rm.h>
#include <wdm.h>

enum { BOXES = 2, TEXT_MAX = 4096 };
enum { DONE = 0, ROLLED_BACK = 1, WRONG_USE = 2, UNFINISHED = 3 }; /* exit status */

/* One box: a directory, and the resource manager that keeps it. */
struct box {
    const char *name;
    GUID identity; /* the same at every start */
    int directory;
    struct ktm_rm *rm;
};

static struct box boxes[BOXES] = {{.name = "east", .identity = {.Data1 = 0xB0C5, .Data2 = 1}},
                                  {.name = "west", .identity = {.Data1 = 0xB0C5, .Data2 = 2}}};

/* What a transaction does to a box. */
struct work {
    char name[64];
    char text[TEXT_MAX];
};

/* ---- writing files so that they are there after a power cut ---- */

/* All of it under a name of its own, durable; then the name, durable. */
static int
write_durably(int directory, const char *name, const void *data, size_t size)
{
    int file = openat(directory, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), ok;

    if (file < 0)
        return 0;
    ok = write(file, data, size) == (ssize_t)size && fsync(file) == 0;
    close(file);
    ok = ok && renameat(directory, ".new", directory, name) == 0;
    if (!ok)
        unlinkat(directory, ".new", 0);
    return ok && fsync(directory) == 0;
}

/* Gone, and it stays gone. */
static int
remove_durably(int directory, const char *name)
{
    return (unlinkat(directory, name, 0) == 0 || errno == ENOENT) && fsync(directory) == 0;
}

/* ---- the promise: a file whose name is the key ---- */

enum { HEX_SIZE = 2 * sizeof(struct ktm_rm_key), PROMISE_SIZE = 16 + HEX_SIZE };

static void
promise_name(const struct ktm_rm_key *key, char name[PROMISE_SIZE])
{
    const unsigned char *bytes = (const unsigned char *)key;
    char *at = name + sprintf(name, ".promise.");

    for (size_t i = 0; i < sizeof(*key); i++)
        at += sprintf(at, "%02x", bytes[i]);
}

static int
promise_key(const char *name, struct ktm_rm_key *key)
{
    unsigned char *bytes = (unsigned char *)key;

    if (strncmp(name, ".promise.", 9) != 0 || strlen(name) != 9 + HEX_SIZE)
        return 0;
    for (size_t i = 0; i < sizeof(*key); i++)
        if (sscanf(name + 9 + 2 * i, "%2hhx", bytes + i) != 1)
            return 0;
    return 1;
}

/* ---- the four functions ---- */

static enum ktm_rm_answer
box_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct box *box = context;
    char name[PROMISE_SIZE];

    promise_name(key, name);
    if (write_durably(box->directory, name, work, sizeof(struct work)))
        return KTM_RM_DONE;
    (void)remove_durably(box->directory, name);
    return KTM_RM_NO;
}

static enum ktm_rm_answer
box_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct box *box = context;
    char name[PROMISE_SIZE];
    struct work promised;
    int file, is_whole;

    (void)work; /* NULL after a restart: the promise has it all */
    promise_name(key, name);
    file = openat(box->directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? KTM_RM_DONE : KTM_RM_RETRY; /* kept before, then removed */
    is_whole = read(file, &promised, sizeof(promised)) == (ssize_t)sizeof(promised);
    close(file);
    if (is_whole &&
        write_durably(box->directory, promised.name, promised.text, strlen(promised.text)) &&
        remove_durably(box->directory, name))
        return KTM_RM_DONE;
    return KTM_RM_RETRY;
}

static enum ktm_rm_answer
box_rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct box *box = context;
    char name[PROMISE_SIZE];

    (void)work;
    promise_name(key, name);
    return remove_durably(box->directory, name) ? KTM_RM_DONE : KTM_RM_RETRY;
}

static NTSTATUS
box_list(void *context, ktm_rm_each_key *each, void *list)
{
    struct box *box = context;
    DIR *names = fdopendir(openat(box->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct ktm_rm_key key;
    struct dirent *entry;

    if (!names)
        return STATUS_IO_DEVICE_ERROR;
    while ((entry = readdir(names)))
        if (promise_key(entry->d_name, &key))
            each(list, &key);
    closedir(names);
    return STATUS_SUCCESS;
}

static void
box_forget(void *context, void *work)
{
    (void)context;
    free(work);
}

static const struct ktm_rm_author author = {.prepare = box_prepare,
                                            .commit = box_commit,
                                            .rollback = box_rollback,
                                            .list_in_doubt = box_list,
                                            .forget = box_forget};

/* ---- starting ---- */

/* One more than at the last start, and durable before anything is promised. */
static uint64_t
next_incarnation(int state, const char *name)
{
    uint64_t incarnation = 0;
    int file = openat(state, name, O_RDONLY | O_CLOEXEC);

    if (file >= 0) {
        if (read(file, &incarnation, sizeof(incarnation)) != (ssize_t)sizeof(incarnation))
            incarnation = 0;
        close(file);
    }
    incarnation++;
    return write_durably(state, name, &incarnation, sizeof(incarnation)) ? incarnation : 0;
}

static int
box_open(struct box *box, HANDLE tm, int top, int state)
{
    struct ktm_rm_options options = {.identity = &box->identity,
                                     .incarnation = next_incarnation(state, box->name),
                                     .description = box->name,
                                     .author = &author,
                                     .context = box,
                                     .mode = KTM_RM_CALLBACKS};

    box->directory = openat(top, box->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unlinkat(box->directory, ".new", 0); /* what a crash left half written */
    if (box->directory < 0 || options.incarnation == 0 ||
        ktm_rm_open(tm, &options, &box->rm) != STATUS_SUCCESS)
        return 0;
    return ktm_rm_unfinished(box->rm) == 0;
}

/* ---- using it ---- */

static NTSTATUS
work_make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = malloc(sizeof(struct work));
    if (!*work)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(*work, argument, sizeof(struct work));
    return STATUS_SUCCESS;
}

static int
put(HANDLE tm, struct work *wanted, int is_meant)
{
    HANDLE transaction;
    NTSTATUS status;
    void *work;

    status = NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0,
                                 NULL, NULL);
    if (status != STATUS_SUCCESS)
        return UNFINISHED;
    for (int i = 0; status == STATUS_SUCCESS && i < BOXES; i++)
        status = ktm_rm_enlist(boxes[i].rm, transaction, work_make, wanted, &work);
    if (status == STATUS_SUCCESS && is_meant)
        status = NtCommitTransaction(transaction, TRUE);
    else if (NtRollbackTransaction(transaction, TRUE) == STATUS_SUCCESS)
        status = STATUS_TRANSACTION_ALREADY_ABORTED;
    NtClose(transaction);
    if (status == STATUS_TRANSACTION_ALREADY_ABORTED) {
        puts("rolled back");
        return ROLLED_BACK;
    }
    if (status != STATUS_SUCCESS || ktm_rm_unfinished(boxes[0].rm) ||
        ktm_rm_unfinished(boxes[1].rm))
        return UNFINISHED; /* or not known: 'recover' finds out */
    puts("committed");
    return DONE;
}

int
main(int count, char **arguments)
{
    const char *verb = count > 1 ? arguments[1] : "";
    int is_put = strcmp(verb, "put") == 0, is_try = strcmp(verb, "try") == 0;
    int top, state, result = DONE;
    struct work wanted = {.name = ""};
    char home[TEXT_MAX];
    HANDLE tm;

    if (!(count == 5 && (is_put || is_try) && strlen(arguments[3]) < sizeof(wanted.name) &&
          !strchr(arguments[3], '/') && strlen(arguments[4]) < sizeof(wanted.text)) &&
        !(count == 3 && strcmp(verb, "recover") == 0)) {
        fprintf(stderr, "usage: box put|try DIR NAME TEXT\n       box recover DIR\n");
        return WRONG_USE;
    }
    snprintf(home, sizeof(home), "%s/state/both", arguments[2]);
    if (ktm_tm_open(home, &tm) != STATUS_SUCCESS)
        return UNFINISHED;
    top = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    state = openat(top, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < BOXES; i++)
        if (!box_open(&boxes[i], tm, top, state))
            result = UNFINISHED;
    if (result == DONE && count == 5) {
        strcpy(wanted.name, arguments[3]);
        strcpy(wanted.text, arguments[4]);
        result = put(tm, &wanted, is_put);
    }
    for (int i = 0; i < BOXES; i++)
        ktm_rm_close(boxes[i].rm);
    NtClose(tm);
    return result;
}
