/* SPDX-License-Identifier: MIT */
/*
 * A switch for tests: a store of items in a directory (the open string), and a switch that does
 * what it is told to. Only processes die here, so nothing is forced.
 *
 *     e.<xid>   ended; the file has the item, so that any process can prepare it
 *     p.<xid>   prepared
 *     c.<item>  committed
 *     h.<xid>   decided by somebody else, and not forgotten yet
 *     order     what the switch shall do instead of its work, a line for each: "<function> <deed>
 *               <times>", with deed a code to return, "exit", "die", "hang", "lose" (says XA_OK and
 * does nothing), "zero" (xa_recover spoils the names) log       what was asked, a line for each
 *
 * toy_xa_switch is told of branches, toy_register_xa_switch registers them by ax_reg.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktm_xa.h"

#define PUBLIC __attribute__((visibility("default")))

PUBLIC extern const struct xa_switch_t toy_xa_switch, toy_register_xa_switch, toy_broken_xa_switch;
PUBLIC ktm_xa_function ktm_xa_check_work, ktm_xa_check_look, toy_work, toy_sleep, toy_exit,
    toy_echo, toy_refuse;

static __thread char directory[MAXINFOSIZE];
static __thread struct {
    XID xid;
    int is_active, is_ended, item; /* item -1: nothing was done */
} branches[256];
static int registering;

/* ---- orders ---- */

static void
path_of(char out[600], const char *kind, const char *name)
{
    snprintf(out, 600, "%s/%s%s", directory, kind, name);
}

static void
note(const char *function)
{
    char path[600];
    FILE *file;

    path_of(path, "", "log");
    file = fopen(path, "a");
    if (file) {
        fprintf(file, "%s %d\n", function, (int)getpid());
        fclose(file);
    }
}

/* "" when there is none. An order for so many times counts them. */
static void
order_for(const char *function, char deed[16])
{
    char path[600], name[16], what[16], rest[4096] = "";
    int times;
    FILE *file;

    deed[0] = '\0';
    path_of(path, "", "order");
    file = fopen(path, "r");
    if (!file)
        return;
    while (fscanf(file, "%15s %15s %d", name, what, &times) == 3) {
        if (!deed[0] && times != 0 && strcmp(name, function) == 0) {
            snprintf(deed, 16, "%s", what);
            times -= times > 0;
        }
        snprintf(rest + strlen(rest), sizeof(rest) - strlen(rest), "%s %s %d\n", name, what, times);
    }
    fclose(file);
    if (deed[0] && (file = fopen(path, "w"))) {
        fputs(rest, file);
        fclose(file);
    }
}

enum deed { WORK, RETURN, LOSE, ZERO };

static enum deed
obey(const char *function, int *code)
{
    char deed[16];

    note(function);
    order_for(function, deed);
    *code = XA_OK;
    if (strcmp(deed, "exit") == 0)
        exit(7);
    if (strcmp(deed, "die") == 0)
        kill(getpid(), SIGKILL);
    while (strcmp(deed, "hang") == 0)
        pause();
    if (strcmp(deed, "lose") == 0)
        return LOSE;
    if (strcmp(deed, "zero") == 0)
        return ZERO;
    if (!deed[0])
        return WORK;
    *code = atoi(deed);
    return RETURN;
}

/* ---- names ---- */

static void
print(const XID *xid, char out[400])
{
    int used = sprintf(out, "%lx.%ld.%ld.", xid->formatID, xid->gtrid_length, xid->bqual_length);

    for (long i = 0; i < xid->gtrid_length + xid->bqual_length; i++)
        used += sprintf(out + used, "%02x", (unsigned char)xid->data[i]);
}

static int
parse(const char *text, XID *out)
{
    int used = 0;

    memset(out, 0, sizeof(*out));
    if (sscanf(text, "%lx.%ld.%ld.%n", (unsigned long *)&out->formatID, &out->gtrid_length,
               &out->bqual_length, &used) != 3)
        return 0;
    for (long i = 0; i < out->gtrid_length + out->bqual_length; i++) {
        unsigned value;

        if (sscanf(text + used + 2 * i, "%2x", &value) != 1)
            return 0;
        out->data[i] = (char)value;
    }
    return 1;
}

/* A file for the branch, or a code. */
static void
branch_path(char out[1024], const char *kind, const XID *xid)
{
    char text[400];

    print(xid, text);
    snprintf(out, 1024, "%s/%s%s", directory, kind, text);
}

static int
find(const XID *xid)
{
    for (int i = 0; i < 256; i++)
        if ((branches[i].is_active || branches[i].is_ended) &&
            memcmp(&branches[i].xid, xid, sizeof(*xid)) == 0)
            return i;
    return -1;
}

static int
find_active(void)
{
    for (int i = 0; i < 256; i++)
        if (branches[i].is_active)
            return i;
    return -1;
}

static int
begin(const XID *xid)
{
    for (int i = 0; i < 256; i++)
        if (!branches[i].is_active && !branches[i].is_ended) {
            branches[i].xid = *xid;
            branches[i].is_active = 1;
            branches[i].item = -1;
            return XA_OK;
        }
    return XAER_RMERR;
}

/* ---- the switch ---- */

static int
toy_open(char *info, int rmid, long flags)
{
    int code;

    (void)rmid, (void)flags;
    snprintf(directory, sizeof(directory), "%s", info);
    obey("open", &code);
    if (code != XA_OK)
        return code;
    return access(directory, F_OK) == 0 ? XA_OK : XAER_RMERR;
}

static int
register_open(char *info, int rmid, long flags)
{
    registering = 1;
    return toy_open(info, rmid, flags);
}

static int
toy_close(char *info, int rmid, long flags)
{
    int code;

    (void)info, (void)rmid, (void)flags;
    obey("close", &code);
    return code;
}

static int
toy_start(XID *xid, int rmid, long flags)
{
    char path[1024];
    int code;

    (void)rmid, (void)flags;
    if (obey("start", &code) != WORK)
        return code;
    branch_path(path, "p.", xid);
    if (find(xid) >= 0 || access(path, F_OK) == 0)
        return XAER_DUPID;
    return find_active() >= 0 ? XAER_PROTO : begin(xid);
}

static void
write_item(const char *kind, const XID *xid, int item)
{
    char path[1024];
    FILE *file;

    branch_path(path, kind, xid);
    file = fopen(path, "w");
    fprintf(file, "%d\n", item);
    fclose(file);
}

/* -2: there is no such file. */
static int
read_item(const char *kind, const XID *xid)
{
    char path[1024];
    int item = -2;
    FILE *file;

    branch_path(path, kind, xid);
    file = fopen(path, "r");
    if (file && fscanf(file, "%d", &item) != 1)
        item = -2;
    if (file)
        fclose(file);
    return item;
}

static void
remove_item(const char *kind, const XID *xid)
{
    char path[1024];

    branch_path(path, kind, xid);
    unlink(path);
}

static int
toy_end(XID *xid, int rmid, long flags)
{
    int code, at = find(xid);

    (void)rmid, (void)flags;
    if (obey("end", &code) != WORK)
        return code;
    if (at < 0)
        return XAER_NOTA;
    branches[at].is_active = 0;
    branches[at].is_ended = 1;
    write_item("e.", xid, branches[at].item);
    return XA_OK;
}

static void
drop(int at)
{
    branches[at].is_active = branches[at].is_ended = 0;
}

static int
toy_prepare(XID *xid, int rmid, long flags)
{
    int code, item, at = find(xid);

    (void)rmid, (void)flags;
    switch (obey("prepare", &code)) {
    case RETURN:
        if (at >= 0 && code >= XA_RBBASE)
            drop(at);
        return code;
    case LOSE:
        drop(at);
        return XA_OK;
    default:
        break;
    }
    item = read_item("e.", xid);
    if (item == -2)
        return XAER_NOTA;
    if (at >= 0)
        drop(at);
    remove_item("e.", xid);
    if (item < 0)
        return XA_RDONLY;
    write_item("p.", xid, item);
    return obey("prepared", &code) == WORK ? XA_OK : code;
}

/* A decision of somebody else is remembered until it is forgotten. */
static int
heuristic(const XID *xid, int code)
{
    char from[1024], to[1024];

    if (code >= XA_HEURMIX && code <= XA_HEURHAZ) {
        branch_path(from, "p.", xid);
        branch_path(to, "h.", xid);
        rename(from, to);
    }
    if (code >= XA_RBBASE || code == XAER_RMERR) {
        branch_path(from, "p.", xid);
        unlink(from);
    }
    return code;
}

static int
toy_commit(XID *xid, int rmid, long flags)
{
    char path[1024], made[600], item[32];
    int code, number;

    (void)rmid, (void)flags;
    switch (obey("commit", &code)) {
    case RETURN:
        return heuristic(xid, code);
    case LOSE:
        branch_path(path, "p.", xid);
        unlink(path);
        return XA_OK;
    default:
        break;
    }
    branch_path(path, "p.", xid);
    number = read_item("p.", xid);
    if (number == -2)
        return XAER_NOTA;
    snprintf(item, sizeof(item), "%d", number);
    path_of(made, "c.", item);
    rename(path, made);
    return obey("committed", &code) == WORK ? XA_OK : code;
}

static int
toy_rollback(XID *xid, int rmid, long flags)
{
    char path[1024];
    int code, at = find(xid);

    (void)rmid, (void)flags;
    if (obey("rollback", &code) != WORK)
        return heuristic(xid, code);
    if (at >= 0)
        drop(at);
    branch_path(path, "e.", xid);
    if (unlink(path) == 0 || at >= 0)
        return XA_OK;
    branch_path(path, "p.", xid);
    return unlink(path) == 0 ? XA_OK : XAER_NOTA;
}

static int
toy_forget(XID *xid, int rmid, long flags)
{
    char path[1024];
    int code;

    (void)rmid, (void)flags;
    if (obey("forget", &code) != WORK)
        return code;
    branch_path(path, "h.", xid);
    return unlink(path) == 0 ? XA_OK : XAER_NOTA;
}

static int
toy_recover(XID *xids, long count, int rmid, long flags)
{
    static long next;
    struct dirent *entry;
    long at = 0, given = 0;
    enum deed deed;
    int code;
    DIR *all;

    (void)rmid;
    deed = obey("recover", &code);
    if (deed == RETURN || deed == LOSE)
        return code;
    if (flags & TMSTARTRSCAN)
        next = 0;
    all = opendir(directory);
    while ((entry = readdir(all))) {
        XID xid;

        if ((entry->d_name[0] != 'p' && entry->d_name[0] != 'h') || entry->d_name[1] != '.' ||
            !parse(entry->d_name + 2, &xid))
            continue;
        if (at++ < next || given == count)
            continue;
        xids[given++] = xid;
        if (deed == ZERO)
            xids[given - 1].formatID = xids[given - 1].gtrid_length = xids[given - 1].bqual_length =
                0;
    }
    closedir(all);
    next += given;
    return (int)given;
}

static int
toy_complete(int *handle, int *result, int rmid, long flags)
{
    (void)handle, (void)result, (void)rmid, (void)flags;
    return XAER_INVAL;
}

#define ENTRIES                                                                                    \
    .xa_close_entry = toy_close, .xa_start_entry = toy_start, .xa_end_entry = toy_end,             \
    .xa_rollback_entry = toy_rollback, .xa_prepare_entry = toy_prepare,                            \
    .xa_commit_entry = toy_commit, .xa_recover_entry = toy_recover, .xa_forget_entry = toy_forget, \
    .xa_complete_entry = toy_complete

const struct xa_switch_t toy_xa_switch = {.name = "toy", .xa_open_entry = toy_open, ENTRIES};
const struct xa_switch_t toy_register_xa_switch = {
    .name = "toy, registering", .flags = TMREGISTER, .xa_open_entry = register_open, ENTRIES};
const struct xa_switch_t toy_broken_xa_switch = {.name = "toy, broken", .version = 3, ENTRIES};

/* ---- work ---- */

int
toy_work(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    int at = find_active();
    char text[300];

    (void)out;
    *out_size = 0;
    snprintf(text, sizeof(text), "%.*s", (int)in_size, (const char *)in);
    if (at < 0 && registering) {
        XID xid;

        if (ax_reg(rmid, &xid, TMNOFLAGS) != TM_OK || xid.formatID == -1)
            return 2;
        if (begin(&xid) != XA_OK)
            return 3;
        at = find_active();
    }
    if (at < 0)
        return 1;
    branches[at].item = atoi(text);
    return 0;
}

int
ktm_xa_check_work(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    return toy_work(rmid, in, in_size, out, out_size);
}

int
ktm_xa_check_look(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    char path[600], item[16];

    (void)rmid, (void)in_size, (void)out;
    *out_size = 0;
    snprintf(item, sizeof(item), "%d", atoi(in));
    path_of(path, "c.", item);
    return access(path, F_OK) != 0;
}

int
toy_sleep(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    (void)rmid, (void)in, (void)in_size, (void)out, (void)out_size;
    note("sleep");
    for (;;)
        pause();
}

int
toy_exit(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    (void)rmid, (void)in, (void)in_size, (void)out, (void)out_size;
    exit(3);
}

int
toy_echo(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    (void)rmid;
    memcpy(out, in, in_size);
    *out_size = in_size;
    return 0;
}

int
toy_refuse(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    (void)rmid, (void)in, (void)in_size, (void)out, (void)out_size;
    return 1;
}
