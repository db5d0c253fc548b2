/* SPDX-License-Identifier: MIT */
/*
 * One transaction over two transaction managers, in three calls.
 *
 *     cc -o branch branch.c $(pkg-config --cflags --libs ktm)
 *     ./branch put DIR NAME TEXT   DIR/east/NAME and DIR/west/NAME become TEXT, both or neither
 *     ./branch try DIR NAME TEXT   the same, but rolled back: a rehearsal
 *     ./branch recover DIR         finishes what a crash left; 'put' and 'try' begin with it
 *
 * This does what superior.c does, without a coordinator of its own: the transaction begins in the
 * east, whose transaction manager is the root. When the west's resource manager enlists in it, the
 * west gets a branch of the transaction, which the root drives as a superior would. The west forces
 * a PREPARE record before the root forces its COMMIT record, and that record is the decision.
 *
 * Nothing has to be done about crashes but to open both again: as soon as both are there, a
 * branch in doubt is settled by what the root's log says. Alone, the west waits.
 */
#include <stdio.h>
#include <string.h>

#include <ktm.h>
#include <ktm_file.h>

enum { SITES = 2, PATH_SIZE = 4096 };
enum { DONE = 0, ROLLED_BACK = 1, WRONG_USE = 2, UNFINISHED = 3 }; /* exit status */

static const char *const names[SITES] = {"east", "west"};
static struct ktm_file_rm *sites[SITES];

/* Opening a site recovers it. What is in doubt in the west waits until the east is open too. */
static int
open_sites(const char *top)
{
    for (int i = SITES - 1; i >= 0; i--) {
        char home[PATH_SIZE], why[512] = "";

        snprintf(home, sizeof(home), "%s/state/%s", top, names[i]);
        if (ktm_file_open(NULL, home, NULL, why, sizeof(why), &sites[i]) != STATUS_SUCCESS) {
            fprintf(stderr, "branch: %s: %s\n", names[i], why);
            return UNFINISHED;
        }
    }
    return DONE;
}

static void
shut_sites(void)
{
    for (int i = 0; i < SITES; i++)
        ktm_file_shut(sites[i]);
}

static NTSTATUS
write_in(struct ktm_file_tx *part, const char *top, const char *site, const char *name,
         const char *text)
{
    char path[PATH_SIZE], why[512] = "";
    NTSTATUS status;

    snprintf(path, sizeof(path), "%s/%s/%s", top, site, name);
    status = ktm_file_put(part, path, KTM_FILE_MODE_KEEP, ktm_file_bytes(text, strlen(text)));
    if (status != STATUS_SUCCESS) {
        ktm_file_error(part, why, sizeof(why));
        fprintf(stderr, "branch: %s\n", why);
    }
    return status;
}

/* Begin, use, commit. The second ktm_file_begin is where the transaction comes to span two
 * managers; it needs no word about that. */
static int
put(const char *top, const char *name, const char *text, int is_meant)
{
    struct ktm_file_tx *east, *west = NULL;
    NTSTATUS status = ktm_file_begin(sites[0], NULL, &east);

    if (status != STATUS_SUCCESS)
        return UNFINISHED;
    status = ktm_file_begin(sites[1], ktm_file_transaction(east), &west);
    if (status == STATUS_SUCCESS)
        status = write_in(east, top, names[0], name, text);
    if (status == STATUS_SUCCESS)
        status = write_in(west, top, names[1], name, text);
    if (status == STATUS_SUCCESS && is_meant)
        status = ktm_file_commit(east);
    else
        status = ktm_file_rollback(east) == STATUS_SUCCESS ? STATUS_TRANSACTION_ALREADY_ABORTED
                                                           : STATUS_UNSUCCESSFUL;
    ktm_file_close(west);
    ktm_file_close(east);
    if (status == STATUS_SUCCESS) {
        puts("committed");
        return DONE;
    }
    puts(status == STATUS_TRANSACTION_ALREADY_ABORTED ? "rolled back" : "not known yet");
    return status == STATUS_TRANSACTION_ALREADY_ABORTED ? ROLLED_BACK : UNFINISHED;
}

int
main(int count, char **arguments)
{
    const char *verb = count > 1 ? arguments[1] : "";
    int is_put = strcmp(verb, "put") == 0, is_try = strcmp(verb, "try") == 0;
    int result;

    if (!(count == 5 && (is_put || is_try)) && !(count == 3 && strcmp(verb, "recover") == 0)) {
        fprintf(stderr, "usage: branch put|try DIR NAME TEXT\n"
                        "       branch recover DIR\n");
        return WRONG_USE;
    }
    result = open_sites(arguments[2]);
    if (result == DONE && count == 5)
        result = put(arguments[2], arguments[3], arguments[4], is_put);
    shut_sites();
    return result;
}
