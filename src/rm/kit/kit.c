/* SPDX-License-Identifier: MIT */
/* Opening, registering, closing. */
#include "rm/kit/kit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "sys/sys.h"

#define PUMP_MS 20 /* how long one look at the transaction may be put off */

/* ---- transaction managers ---- */

static NTSTATUS
part_make(const char *path, bool is_last)
{
    NTSTATUS status = sys_directory_make(sys_linux(), path);

    if (status == STATUS_OBJECT_NAME_COLLISION || (!is_last && status == STATUS_ACCESS_DENIED))
        return STATUS_SUCCESS; /* there already, or above what is ours */
    return status;
}

/* Makes the names in a directory durable, but in one that is not ours. */
static NTSTATUS
part_sync(const char *path, bool is_last)
{
    NTSTATUS status = is_last ? STATUS_SUCCESS : sys_directory_sync(sys_linux(), path);

    return status == STATUS_IO_DEVICE_ERROR || status == STATUS_DISK_FULL ? status : STATUS_SUCCESS;
}

/* For each directory above the path, from the top on, and for the path itself. */
static NTSTATUS
each_part(const char *path, NTSTATUS (*visit)(const char *path, bool is_last))
{
    char *copy = strdup(path);
    NTSTATUS status = copy ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    for (char *at = copy; status == STATUS_SUCCESS && at && *at;) {
        char *end = at + 1 + strcspn(at + 1, "/"), was = *end;

        *end = '\0';
        status = visit(copy, was == '\0');
        *end = was;
        at = end;
    }
    free(copy);
    return status;
}

static void
note_log(void *context, const char *name)
{
    if (strcmp(name, "tm.blf") == 0)
        *(bool *)context = true;
}

/* Makes the home and the directories above it that are missing. They are durable before the first
 * log is there: a home that a power cut takes away takes every promise with it. */
static NTSTATUS
home_make(const char *home)
{
    bool has_log = false;

    TRY(each_part(home, part_make));
    TRY(sys_directory_list(sys_linux(), home, note_log, &has_log));
    if (has_log)
        return STATUS_SUCCESS;
    TRY(part_sync(home[0] == '/' ? "/" : ".", false));
    return each_part(home, part_sync);
}

static NTSTATUS
tm_open_log(UNICODE_STRING *name, HANDLE *tm)
{
    NTSTATUS status =
        NtCreateTransactionManager(tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, name, 0, 0);

    /* Open in this process already [TM-CREATE-11]. */
    if (status == STATUS_OBJECT_NAME_COLLISION)
        status = NtOpenTransactionManager(tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, name, NULL, 0);
    TRY(status);
    status = NtRecoverTransactionManager(*tm);
    if (status != STATUS_SUCCESS)
        NtClose(*tm);
    return status;
}

NTSTATUS
ktm_tm_open(const char *home, HANDLE *tm)
{
    UNICODE_STRING name;
    uint16_t *units;
    size_t count;
    char *path;
    NTSTATUS status;

    if (!home || !tm || home[0] == '\0')
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(home_make(home));
    if (asprintf(&path, "%s/tm", home) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = text_to_utf16(path, &units, &count);
    free(path);
    TRY(status);
    if (count > 32766) {
        free(units);
        return status_raise(STATUS_NAME_TOO_LONG);
    }
    name = (UNICODE_STRING){.Length = (USHORT)(count * 2),
                            .MaximumLength = (USHORT)(count * 2),
                            .Buffer = (void *)units};
    status = tm_open_log(&name, tm);
    free(units);
    return status;
}

/* ---- resource managers ---- */

static NTSTATUS
rm_register(struct ktm_rm *rm, HANDLE tm, const char *description)
{
    UNICODE_STRING text = {0};
    uint16_t *units = NULL;
    size_t count = 0;
    HANDLE handle;
    NTSTATUS status;

    if (description)
        TRY(text_to_utf16(description, &units, &count));
    if (count > MAX_RESOURCEMANAGER_DESCRIPTION_LENGTH)
        count = MAX_RESOURCEMANAGER_DESCRIPTION_LENGTH;
    text.Length = text.MaximumLength = (USHORT)(count * 2);
    text.Buffer = (void *)units;
    status = NtCreateResourceManager(&handle, RESOURCEMANAGER_ALL_ACCESS, tm, &rm->identity, NULL,
                                     rm->options.is_volatile ? RESOURCE_MANAGER_VOLATILE : 0,
                                     units ? &text : NULL);
    free(units);
    if (status == STATUS_SUCCESS)
        atomic_store(&rm->handle, handle);
    return status;
}

/* ---- callbacks ---- */

static struct sys_mutex called_mutex = {PTHREAD_MUTEX_INITIALIZER};
static struct ktm_rm *called;           /* those that may be called back */
static uint64_t called_last;            /* the last number given out */
static _Atomic uint32_t callbacks_done; /* counts them, to wait on */
static unsigned closing;                /* who waits */

static void
begin_anew(void)
{
    sys_mutex_init(&called_mutex);
    called = NULL;
}

__attribute__((constructor)) static void
watch_forks(void)
{
    sys_on_fork(begin_anew);
}

static void
called_add(struct ktm_rm *rm)
{
    sys_mutex_lock(&called_mutex);
    rm->number = ++called_last;
    rm->next_called = called;
    called = rm;
    sys_mutex_unlock(&called_mutex);
}

/* No callback begins any more, and none is at work. */
static void
called_remove(struct ktm_rm *rm)
{
    sys_mutex_lock(&called_mutex);
    for (struct ktm_rm **at = &called; *at; at = &(*at)->next_called)
        if (*at == rm) {
            *at = rm->next_called;
            break;
        }
    closing++;
    while (rm->callbacks > 0) {
        uint32_t seen = atomic_load(&callbacks_done);

        sys_mutex_unlock(&called_mutex);
        sys_wait(&callbacks_done, seen, SYS_FOREVER);
        sys_mutex_lock(&called_mutex);
    }
    closing--;
    sys_mutex_unlock(&called_mutex);
}

/* NULL: it has been closed. */
static struct ktm_rm *
callback_begin(const void *number)
{
    struct ktm_rm *rm;

    sys_mutex_lock(&called_mutex);
    for (rm = called; rm && rm->number != (uintptr_t)number;)
        rm = rm->next_called;
    if (rm)
        rm->callbacks++;
    sys_mutex_unlock(&called_mutex);
    return rm;
}

void
kit_hold(struct ktm_rm *rm)
{
    sys_mutex_lock(&called_mutex);
    rm->callbacks++;
    sys_mutex_unlock(&called_mutex);
}

void
kit_let_go(struct ktm_rm *rm)
{
    bool is_awaited;

    sys_mutex_lock(&called_mutex);
    rm->callbacks--;
    atomic_fetch_add(&callbacks_done, 1);
    is_awaited = closing > 0;
    sys_mutex_unlock(&called_mutex);
    if (is_awaited)
        sys_wake(&callbacks_done, INT_MAX); /* the RM may be gone by now */
}

static void
take_callback(struct ktm_rm *rm, PKENLISTMENT enlistment, const TRANSACTION_NOTIFICATION *header,
              const void *argument)
{
    PVOID key;

    if (!header->TransactionKey) {
        kit_handle(rm, NULL, header, argument);
        return;
    }
    /* Another thread may be finishing the branch: the reference says whether it is still there. */
    if (TmReferenceEnlistmentKey(enlistment, &key) != STATUS_SUCCESS)
        return;
    kit_handle(rm, enlistment, header, argument);
    branch_key_done(key, enlistment);
}

static NTSTATUS
on_callback(PKENLISTMENT enlistment, PVOID rm_context, PVOID transaction_context,
            ULONG notification, PLARGE_INTEGER clock, ULONG argument_size, PVOID argument)
{
    const TRANSACTION_NOTIFICATION header = {.TransactionKey = transaction_context,
                                             .TransactionNotification = notification,
                                             .ArgumentLength = argument_size};
    struct ktm_rm *rm = callback_begin(rm_context);

    (void)clock;
    if (!rm)
        return STATUS_SUCCESS;
    take_callback(rm, enlistment, &header, argument);
    kit_let_go(rm);
    return STATUS_SUCCESS;
}

static NTSTATUS
callbacks_enable(struct ktm_rm *rm)
{
    void *object;

    TRY(ObReferenceObjectByHandle(atomic_load(&rm->handle), RESOURCEMANAGER_GET_NOTIFICATION,
                                  *TmResourceManagerObjectType, UserMode, &object, NULL));
    rm->object = object;
    called_add(rm);
    return TmEnableCallbacks(rm->object, on_callback, (void *)(uintptr_t)rm->number);
}

/* ---- opening and closing ---- */

static NTSTATUS
rm_start(struct ktm_rm *rm, HANDLE tm, const char *description)
{
    NTSTATUS status;

    TRY(rm_register(rm, tm, description));
    if (kit_is_called(rm))
        TRY(callbacks_enable(rm));
    TRY(kit_list(rm));
    status = NtRecoverResourceManager(atomic_load(&rm->handle));
    if (!NT_SUCCESS(status))
        return status;
    /* All that recovery has to say is in the queue by now, or comes while it is worked off. */
    TRY(kit_serve(rm, 0));
    if (rm->options.mode != KTM_RM_THREAD)
        return STATUS_SUCCESS;
    return sys_thread_start("ktm-rm", kit_thread, rm, &rm->thread);
}

static bool
options_are_whole(const struct ktm_rm_options *options)
{
    const struct ktm_rm_author *author = options->author;

    if (!author || !author->rollback || options->mode > KTM_RM_HELPED)
        return false;
    return options->is_last_resource ? author->decide && author->outcome && !options->is_volatile
                                     : author->prepare && author->commit;
}

NTSTATUS
ktm_rm_open(HANDLE tm, const struct ktm_rm_options *options, struct ktm_rm **out)
{
    struct ktm_rm *rm;
    NTSTATUS status;

    if (!options || !out || !options->identity || !options_are_whole(options))
        return status_raise(STATUS_INVALID_PARAMETER);
    rm = calloc(1, sizeof(*rm));
    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    begun_install();
    rm->process = sys_process_id();
    sys_mutex_init(&rm->mutex);
    guid_map_init(&rm->branches);
    guid_map_init(&rm->recovered);
    guid_map_init(&rm->left);
    list_init(&rm->all);
    list_init(&rm->debts);
    list_init(&rm->buried);
    rm->identity = *options->identity;
    rm->options = *options;
    rm->author = *options->author;
    rm->options.identity = &rm->identity;
    rm->options.author = &rm->author;
    status = rm_start(rm, tm, options->description);
    if (status != STATUS_SUCCESS) {
        ktm_rm_close(rm);
        return status;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

static void
left_free(void *context, struct guid_link *link)
{
    (void)context;
    free(container_of(link, struct left, link));
}

static void
recovered_free(void *context, struct guid_link *link)
{
    (void)context;
    free(container_of(link, struct recovered, link));
}

void
ktm_rm_close(struct ktm_rm *rm)
{
    HANDLE handle;

    if (!rm || rm->process != sys_process_id()) /* forked: it is the parent's */
        return;
    handle = atomic_exchange(&rm->handle, NULL);
    if (handle)
        NtClose(handle); /* the thread ends */
    called_remove(rm);
    kit_help_end(rm);
    sys_thread_join(rm->thread);
    if (rm->object)
        ObDereferenceObject(rm->object);
    while (!list_is_empty(&rm->all))
        branch_close(list_first(&rm->all, struct branch, in_all));
    branches_exhume(rm);
    guid_map_drain(&rm->recovered, recovered_free, NULL);
    guid_map_drain(&rm->left, left_free, NULL);
    guid_map_deinit(&rm->branches);
    sys_mutex_deinit(&rm->mutex);
    free(rm);
}

NTSTATUS
ktm_rm_run(struct ktm_rm *rm, uint32_t timeout_ms)
{
    if (!rm || rm->options.mode == KTM_RM_THREAD || rm->options.mode == KTM_RM_HELPED)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (rm->process != sys_process_id())
        return status_raise(STATUS_RM_NOT_ACTIVE);
    return kit_serve(rm, timeout_ms == UINT32_MAX ? SYS_FOREVER
                                                  : sys_now() + (uint64_t)timeout_ms * 1000000u);
}

/* ---- ending transactions ---- */

static NTSTATUS
outcome_of(HANDLE transaction)
{
    TRANSACTION_BASIC_INFORMATION info;

    TRY(NtQueryInformationTransaction(transaction, TransactionBasicInformation, &info, sizeof(info),
                                      NULL));
    if (info.Outcome == TransactionOutcomeCommitted)
        return STATUS_SUCCESS;
    return status_raise(info.Outcome == TransactionOutcomeAborted
                            ? STATUS_TRANSACTION_ALREADY_ABORTED
                            : STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

NTSTATUS
ktm_rm_commit(struct ktm_rm *rm, HANDLE transaction)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    NTSTATUS status;

    if (!rm)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (rm->options.mode != KTM_RM_PUMP)
        return NtCommitTransaction(transaction, TRUE);
    status = NtCommitTransaction(transaction, FALSE);
    if (status != STATUS_PENDING)
        return status;
    while (NtWaitForSingleObject(transaction, FALSE, &now) == STATUS_TIMEOUT)
        TRY(ktm_rm_run(rm, PUMP_MS));
    return outcome_of(transaction);
}

NTSTATUS
ktm_rm_rollback(struct ktm_rm *rm, HANDLE transaction)
{
    NTSTATUS status;

    if (!rm)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (rm->options.mode != KTM_RM_PUMP)
        return NtRollbackTransaction(transaction, TRUE);
    status = NtRollbackTransaction(transaction, FALSE);
    if (!NT_SUCCESS(status))
        return status;
    /* The object is signalled before our own rollback [SIG-02]: what is queued by now is that. */
    return ktm_rm_run(rm, 0);
}

/* ---- questions ---- */

HANDLE
ktm_rm_handle(struct ktm_rm *rm)
{
    return atomic_load(&rm->handle);
}

NTSTATUS
ktm_rm_status(struct ktm_rm *rm)
{
    uint32_t down = atomic_load(&rm->down);

    if (rm->process != sys_process_id())
        return status_raise(STATUS_RM_NOT_ACTIVE);
    return down ? status_raise((NTSTATUS)down) : STATUS_SUCCESS;
}

size_t
ktm_rm_unfinished(struct ktm_rm *rm)
{
    size_t count;

    if (rm->process != sys_process_id())
        return 0;
    sys_mutex_lock(&rm->mutex);
    count = rm->prepared + rm->let_go;
    sys_mutex_unlock(&rm->mutex);
    return count;
}

struct telling {
    ktm_rm_each_recovered *each;
    void *context;
};

static void
tell_one(void *context, const struct guid_link *link)
{
    const struct recovered *recovered = container_of(link, struct recovered, link);
    const struct telling *telling = context;

    telling->each(telling->context,
                  &(struct ktm_rm_recovered){.transaction = link->guid,
                                             .is_committed = recovered->is_committed,
                                             .is_finished = recovered->is_finished});
}

void
ktm_rm_recovered(struct ktm_rm *rm, ktm_rm_each_recovered *each, void *context)
{
    struct telling telling = {each, context};

    if (rm->process != sys_process_id())
        return;
    sys_mutex_lock(&rm->mutex);
    guid_map_each(&rm->recovered, tell_one, &telling);
    sys_mutex_unlock(&rm->mutex);
}
