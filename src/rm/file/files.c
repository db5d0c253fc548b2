/* SPDX-License-Identifier: MIT */
/* Files in transactions of applications (ktm.h): the resource manager belongs to the home, its part
 * in a transaction to the transaction. */
#include "base/base.h"
#include "ktm.h"
#include "ktm_file.h"

static NTSTATUS
rm_make(void *home, void *tx, void **rm)
{
    struct ktm_file_rm *made = NULL;
    char why[400] = "";
    NTSTATUS status =
        ktm_file_open(ktm_manager(home), ktm_home_path(home), NULL, why, sizeof(why), &made);

    *rm = made;
    return status == STATUS_SUCCESS ? status : ktm_tx_explain(tx, status, "%s", why);
}

static void
rm_close(void *rm)
{
    ktm_file_shut(rm);
}

static NTSTATUS
part_make(void *tx, void *rm, void **part)
{
    struct ktm_file_tx *made = NULL;
    NTSTATUS status = ktm_file_begin(rm, ktm_transaction(tx), &made);

    *part = made;
    return status == STATUS_SUCCESS ? status
                                    : ktm_tx_explain(tx, status,
                                                     "files cannot take part in the "
                                                     "transaction: %s",
                                                     ktm_status_text(status));
}

static void
part_close(void *part)
{
    ktm_file_close(part);
}

static size_t
part_error(void *part, char *into, size_t size)
{
    return ktm_file_error(part, into, size);
}

NTSTATUS
ktm_files(struct ktm_tx *tx, struct ktm_file_tx **out)
{
    static const struct ktm_part_kind rm_kind = {.make = rm_make, .close = rm_close};
    static const struct ktm_part_kind part_kind = {
        .make = part_make, .close = part_close, .error = part_error};
    void *rm, *part;

    if (!tx || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(ktm_part(ktm_of(tx), "file", &rm_kind, tx, &rm));
    TRY(ktm_tx_part(tx, "file", &part_kind, rm, &part));
    *out = part;
    return STATUS_SUCCESS;
}
