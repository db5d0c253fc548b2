/* SPDX-License-Identifier: MIT */
/*
 * The gate: does a switch keep its promises over a crash?
 *
 * Each check is a little story with helper processes: branches are begun, prepared and ended, and
 * the helper is killed in between, as a crash would do it. What a story has left is rolled back
 * before the next one. The checks are a table; each returns a finding and a sentence.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/bytes.h"
#include "rm/xa/xa.h"

#define TIMEOUT_MS 30000u
#define FORMAT     0x4b544d47L /* "KTMG": not one of a resource manager's */
#define WAIT_MS    20          /* a killed process's server may take a while to notice */
#define WAITS_MAX  200u

struct gate {
    struct source source;
    struct port *port;
    const char *work; /* NULL: branches stay empty */
    bool can_look;    /* whether an item is there */
    bool has_to_open; /* something of its own before it works */
    unsigned item;    /* the last one that was worked on */
    uint8_t run[16];  /* what this run's names have in common */
    unsigned branches;
    struct explanation why;
    struct switch_info info;
    XID open[4]; /* prepared, and not ended yet */
    size_t open_count;
    size_t spoilt;  /* listed names that are none, left by checks before */
    bool is_broken; /* what a check left could not be removed: 'remains' */
    struct explanation remains;
};

/* ---- stories ---- */

static enum ktm_xa_finding finding(struct gate *gate, enum ktm_xa_finding it, const char *format,
                                   ...) __attribute__((format(printf, 3, 4)));
static enum ktm_xa_finding
finding(struct gate *gate, enum ktm_xa_finding it, const char *format, ...)
{
    char text[512];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    explain_sentence(&gate->why, "%s", text);
    return it;
}
#define FAILED(gate, ...) finding((gate), KTM_XA_FAILED, __VA_ARGS__)
/* What was tried could not even begin, or broke off: the reason is in 'why'. */
#define STORY(expression)                                                                          \
    do {                                                                                           \
        if ((expression) != STATUS_SUCCESS)                                                        \
            return KTM_XA_FAILED;                                                                  \
    } while (0)

static XID
next_xid(struct gate *gate)
{
    XID xid = {.formatID = FORMAT, .gtrid_length = 20, .bqual_length = 21};

    memcpy(xid.data, gate->run, sizeof(gate->run));
    le32_put(xid.data + 16, ++gate->branches);
    /* Bytes that a text would end at, or that are no text at all. */
    for (int i = 20; i < 41; i++)
        xid.data[i] = (char)(i % 3 ? 0xf0 + i : 0);
    return xid;
}

/* How often something is looked at again, before it is believed. */
static unsigned
looks(const struct gate *gate)
{
    unsigned most = gate->source.timeout_ms / WAIT_MS + 1;

    return most < WAITS_MAX ? most : WAITS_MAX;
}

static NTSTATUS
fresh_helper(struct gate *gate)
{
    port_close(give(gate->port));
    return port_open(&gate->source, &gate->port, &gate->why);
}

/* As a crash would: nothing is said to the switch. */
static NTSTATUS
crash(struct gate *gate)
{
    if (gate->port) {
        gate->port->is_open = false;
        port_kill(gate->port);
    }
    return fresh_helper(gate);
}

static NTSTATUS
say(struct gate *gate, enum xa_op op, const XID *xid, long flags, int *code)
{
    return port_say(gate->port, op, xid, flags, code, &gate->why);
}

/* One that has to be answered XA_OK. */
static NTSTATUS
must_say(struct gate *gate, enum xa_op op, const char *name, const XID *xid, long flags)
{
    int code;

    TRY(say(gate, op, xid, flags, &code));
    if (code == XA_OK)
        return STATUS_SUCCESS;
    return explain(&gate->why, status_raise(STATUS_UNSUCCESSFUL), "%s: %s [%s]", name,
                   code_meaning(code), code_name(code));
}

static NTSTATUS
call(struct gate *gate, const char *function, unsigned item)
{
    char name[4200], text[MAXINFOSIZE + 16];
    struct call call = {.function = name, .in = text};

    snprintf(name, sizeof(name), "%s:%s", gate->work, function);
    call.in_size = (size_t)snprintf(text, sizeof(text), "%u\n%s", item, gate->source.info);
    return port_call(gate->port, &call, &gate->why);
}

/* Begun, worked in, ended. */
static NTSTATUS
do_work(struct gate *gate, const XID *xid)
{
    if (gate->has_to_open)
        TRY(call(gate, "ktm_xa_check_open", 0));
    TRY(must_say(gate, XA_OP_START, "xa_start", xid, TMNOFLAGS));
    if (gate->work)
        TRY(call(gate, "ktm_xa_check_work", ++gate->item));
    return must_say(gate, XA_OP_END, "xa_end", xid, TMSUCCESS);
}

static NTSTATUS
prepare(struct gate *gate, const XID *xid)
{
    TRY(do_work(gate, xid));
    TRY(must_say(gate, XA_OP_PREPARE, "xa_prepare", xid, TMNOFLAGS));
    CHECK(gate->open_count < ARRAY_SIZE(gate->open));
    gate->open[gate->open_count++] = *xid;
    return STATUS_SUCCESS;
}

static void
ended(struct gate *gate, const XID *xid)
{
    for (size_t i = 0; i < gate->open_count; i++)
        if (xid_equal(&gate->open[i], xid))
            gate->open[i] = gate->open[--gate->open_count];
}

/* ---- what is listed ---- */

struct listing {
    struct gate *gate;
    XID xids[8];
    size_t count;  /* of this run */
    size_t spoilt; /* that are no names at all */
};

static NTSTATUS
list_one(void *context, const XID *xid)
{
    struct listing *listing = context;
    bool is_whole = xid->formatID != -1 && xid->gtrid_length >= 1 &&
                    xid->gtrid_length <= MAXGTRIDSIZE && xid->bqual_length >= 0 &&
                    xid->bqual_length <= MAXBQUALSIZE;

    if (!is_whole)
        listing->spoilt++;
    else if (xid->formatID == FORMAT &&
             memcmp(xid->data, listing->gate->run, sizeof(listing->gate->run)) == 0 &&
             listing->count < ARRAY_SIZE(listing->xids))
        listing->xids[listing->count++] = *xid;
    return STATUS_SUCCESS;
}

static NTSTATUS
list(struct gate *gate, struct listing *listing)
{
    *listing = (struct listing){.gate = gate};
    return port_recover_all(gate->port, list_one, listing, &gate->why);
}

static bool
has(const struct listing *listing, const XID *xid)
{
    for (size_t i = 0; i < listing->count; i++)
        if (xid_equal(&listing->xids[i], xid))
            return true;
    return false;
}

/* Exactly these, and with the right bytes. The server of a killed helper may need a moment. */
static NTSTATUS
must_list(struct gate *gate, const XID *first, const XID *second)
{
    size_t wanted = (first != NULL) + (second != NULL);
    struct listing listing = {.gate = gate};

    for (unsigned i = 0; i < looks(gate); i++) {
        TRY(list(gate, &listing));
        if (listing.spoilt <= gate->spoilt && listing.count == wanted &&
            (!first || has(&listing, first)) && (!second || has(&listing, second)))
            return STATUS_SUCCESS;
        if (listing.spoilt > gate->spoilt)
            break;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
    }
    if (listing.spoilt > gate->spoilt)
        return explain(&gate->why, status_raise(STATUS_UNSUCCESSFUL),
                       "xa_recover lists %zu names whose lengths are none, and %zu of the %zu "
                       "branches that are prepared",
                       listing.spoilt, listing.count, wanted);
    return explain(&gate->why, status_raise(STATUS_UNSUCCESSFUL),
                   "xa_recover lists %zu of the %zu branches that are prepared, or others",
                   listing.count, wanted);
}

/* Phase two: XA_RETRY is allowed, for a while. */
static NTSTATUS
end_branch(struct gate *gate, enum xa_op op, const XID *xid, int *code)
{
    for (unsigned i = 0; i < looks(gate); i++) {
        TRY(say(gate, op, xid, TMNOFLAGS, code));
        if (*code != XA_RETRY && !(op == XA_OP_ROLLBACK && *code == XAER_RMFAIL))
            return STATUS_SUCCESS;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
must_end(struct gate *gate, enum xa_op op, const char *name, const XID *xid)
{
    int code = XA_RETRY;

    TRY(end_branch(gate, op, xid, &code));
    if (code != XA_OK)
        return explain(&gate->why, status_raise(STATUS_UNSUCCESSFUL), "%s: %s [%s]", name,
                       code_meaning(code), code_name(code));
    ended(gate, xid);
    return STATUS_SUCCESS;
}

/* Is the work of that item there, as it must be? In a helper of its own. */
static NTSTATUS
must_be_there(struct gate *gate, unsigned item, bool is_wanted)
{
    NTSTATUS status;

    if (!gate->can_look)
        return STATUS_SUCCESS;
    TRY(fresh_helper(gate));
    status = call(gate, "ktm_xa_check_look", item);
    if (status != STATUS_SUCCESS && status != STATUS_UNSUCCESSFUL)
        return status;
    if ((status == STATUS_SUCCESS) != is_wanted)
        return explain(&gate->why, status_raise(STATUS_UNSUCCESSFUL), "%s",
                       is_wanted ? "the work of the committed branch is not there"
                                 : "the work of the branch that was rolled back is there");
    return STATUS_SUCCESS;
}

/* ---- checks ---- */

static enum ktm_xa_finding
check_open(struct gate *gate)
{
    STORY(fresh_helper(gate));
    STORY(fresh_helper(gate));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
check_unknown(struct gate *gate)
{
    XID xid = next_xid(gate);
    int code;

    STORY(say(gate, XA_OP_ROLLBACK, &xid, TMNOFLAGS, &code));
    if (code != XAER_NOTA)
        return FAILED(gate, "xa_rollback of a branch that never was: %s", code_name(code));
    STORY(say(gate, XA_OP_COMMIT, &xid, TMNOFLAGS, &code));
    if (code != XAER_NOTA)
        return FAILED(gate, "xa_commit of a branch that never was: %s", code_name(code));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
check_empty(struct gate *gate)
{
    XID xid = next_xid(gate);
    int code;

    STORY(must_say(gate, XA_OP_START, "xa_start", &xid, TMNOFLAGS));
    STORY(say(gate, XA_OP_END, &xid, TMSUCCESS, &code));
    if (code == XA_RDONLY)
        return finding(gate, KTM_XA_PASSED, "it was never registered");
    if (code != XA_OK)
        return FAILED(gate, "xa_end of an empty branch: %s", code_name(code));
    STORY(say(gate, XA_OP_PREPARE, &xid, TMNOFLAGS, &code));
    if (code == XA_RDONLY) {
        STORY(must_list(gate, NULL, NULL));
        return KTM_XA_PASSED;
    }
    if (code != XA_OK)
        return FAILED(gate, "xa_prepare of an empty branch: %s", code_name(code));
    STORY(must_end(gate, XA_OP_COMMIT, "xa_commit", &xid));
    STORY(must_list(gate, NULL, NULL));
    STORY(crash(gate));
    STORY(must_list(gate, NULL, NULL));
    return finding(gate, KTM_XA_PASSED, "it is prepared like any other");
}

static enum ktm_xa_finding
check_commit(struct gate *gate)
{
    XID xid = next_xid(gate);

    STORY(prepare(gate, &xid));
    STORY(must_end(gate, XA_OP_COMMIT, "xa_commit", &xid));
    STORY(must_list(gate, NULL, NULL));
    STORY(crash(gate));
    STORY(must_list(gate, NULL, NULL));
    STORY(must_be_there(gate, gate->item, true));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
check_rollback(struct gate *gate)
{
    XID xid = next_xid(gate);

    STORY(prepare(gate, &xid));
    STORY(must_end(gate, XA_OP_ROLLBACK, "xa_rollback", &xid));
    STORY(must_list(gate, NULL, NULL));
    STORY(crash(gate));
    STORY(must_list(gate, NULL, NULL));
    STORY(must_be_there(gate, gate->item, false));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
check_crash_before(struct gate *gate)
{
    XID xid = next_xid(gate);

    STORY(do_work(gate, &xid));
    STORY(crash(gate));
    STORY(must_list(gate, NULL, NULL));
    STORY(must_be_there(gate, gate->item, false));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
check_recover(struct gate *gate)
{
    XID xid = next_xid(gate);

    STORY(prepare(gate, &xid));
    STORY(crash(gate));
    STORY(must_list(gate, &xid, NULL));
    STORY(crash(gate)); /* to look does no harm */
    STORY(must_list(gate, &xid, NULL));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
after_crash(struct gate *gate, enum xa_op op, const char *name)
{
    XID xid = next_xid(gate);

    STORY(prepare(gate, &xid));
    STORY(crash(gate));
    STORY(must_end(gate, op, name, &xid));
    STORY(must_list(gate, NULL, NULL));
    STORY(crash(gate));
    STORY(must_list(gate, NULL, NULL));
    STORY(must_be_there(gate, gate->item, op == XA_OP_COMMIT));
    return KTM_XA_PASSED;
}

static enum ktm_xa_finding
check_commit_after(struct gate *gate)
{
    return after_crash(gate, XA_OP_COMMIT, "xa_commit");
}

static enum ktm_xa_finding
check_rollback_after(struct gate *gate)
{
    return after_crash(gate, XA_OP_ROLLBACK, "xa_rollback");
}

static enum ktm_xa_finding
check_again(struct gate *gate)
{
    XID xid = next_xid(gate);
    int code;

    STORY(prepare(gate, &xid));
    STORY(crash(gate));
    STORY(must_end(gate, XA_OP_COMMIT, "xa_commit", &xid));
    STORY(say(gate, XA_OP_COMMIT, &xid, TMNOFLAGS, &code));
    if (code != XAER_NOTA)
        return FAILED(gate, "the second xa_commit: %s", code_name(code));
    STORY(crash(gate));
    STORY(say(gate, XA_OP_COMMIT, &xid, TMNOFLAGS, &code));
    if (code != XAER_NOTA)
        return FAILED(gate, "xa_commit once more, by another process: %s", code_name(code));
    return KTM_XA_PASSED;
}

/* The second one by a helper of its own. */
static enum ktm_xa_finding
check_two(struct gate *gate)
{
    XID one = next_xid(gate), two = next_xid(gate);
    unsigned item;
    NTSTATUS status;

    STORY(prepare(gate, &one));
    item = gate->item;
    STORY(crash(gate));
    status = do_work(gate, &two);
    if (status != STATUS_SUCCESS) {
        struct explanation words = gate->why;

        STORY(crash(gate)); /* the second one goes with it */
        STORY(must_end(gate, XA_OP_COMMIT, "xa_commit", &one));
        return finding(gate, KTM_XA_NOT_TRIED,
                       "beside a prepared branch no other can do the work of the check: %s",
                       words.text);
    }
    STORY(must_say(gate, XA_OP_PREPARE, "xa_prepare", &two, TMNOFLAGS));
    gate->open[gate->open_count++] = two;
    STORY(crash(gate));
    STORY(must_list(gate, &one, &two));
    STORY(must_end(gate, XA_OP_COMMIT, "xa_commit", &one));
    STORY(must_list(gate, &two, NULL));
    STORY(must_end(gate, XA_OP_ROLLBACK, "xa_rollback", &two));
    STORY(must_list(gate, NULL, NULL));
    STORY(must_be_there(gate, item, true));
    STORY(must_be_there(gate, item + 1, false));
    return KTM_XA_PASSED;
}

/* One name at a time, as a small array would have it. */
static enum ktm_xa_finding
check_scan(struct gate *gate)
{
    XID xid = next_xid(gate), found[XA_RECOVER_MAX];
    int code, total = 0;
    bool is_found = false;

    STORY(prepare(gate, &xid));
    STORY(crash(gate));
    for (long flags = TMSTARTRSCAN; total < 1000; flags = TMNOFLAGS, total++) {
        STORY(port_recover(gate->port, found, 1, flags, &code, &gate->why));
        if (code < 0 || code > 1)
            return FAILED(gate, "a scan by ones: it returned %d", code);
        if (code == 0)
            break;
        is_found = is_found || xid_equal(&found[0], &xid);
    }
    if (!is_found)
        return FAILED(gate, "a scan by ones did not find the branch that is prepared");
    STORY(port_recover(gate->port, found, XA_RECOVER_MAX, TMSTARTRSCAN | TMENDRSCAN, &code,
                       &gate->why));
    is_found = false;
    for (int i = 0; i < code; i++)
        is_found = is_found || xid_equal(&found[i], &xid);
    if (!is_found)
        return FAILED(gate, "a scan with TMSTARTRSCAN and TMENDRSCAN together did not find it");
    STORY(must_end(gate, XA_OP_COMMIT, "xa_commit", &xid));
    return KTM_XA_PASSED;
}

enum need { NEEDS_NOTHING, NEEDS_WORK };

static const struct {
    const char *name;
    enum need need;
    enum ktm_xa_finding (*run)(struct gate *gate);
    const char *meaning;
} checks[] = {
    {"open", NEEDS_NOTHING, check_open, "the resource can be opened, and opened again"},
    {"unknown", NEEDS_NOTHING, check_unknown, "a branch that never was is not known (XAER_NOTA)"},
    {"empty", NEEDS_NOTHING, check_empty, "a branch without work leaves nothing behind"},
    {"commit", NEEDS_WORK, check_commit, "prepare and commit; and then a crash"},
    {"rollback", NEEDS_WORK, check_rollback, "prepare and rollback; and then a crash"},
    {"crash before the vote", NEEDS_WORK, check_crash_before,
     "work that was not prepared is gone after a crash"},
    {"recover", NEEDS_WORK, check_recover,
     "after a crash xa_recover lists what is prepared, by its exact name"},
    {"commit after a crash", NEEDS_WORK, check_commit_after,
     "what is prepared can be committed after a crash"},
    {"rollback after a crash", NEEDS_WORK, check_rollback_after,
     "what is prepared can be rolled back after a crash"},
    {"commit twice", NEEDS_WORK, check_again,
     "a branch that was committed is not known any more (XAER_NOTA)"},
    {"two branches", NEEDS_WORK, check_two,
     "two prepared branches survive a crash, and end in different ways"},
    {"scan in pieces", NEEDS_WORK, check_scan, "xa_recover with a small array finds everything"},
};

/* ---- all of it ---- */

/* Whatever a check has left of this run is rolled back, by a process that knows nothing of it. */
static NTSTATUS
clean_up(struct gate *gate)
{
    struct listing listing;
    int code = XA_RETRY;

    TRY(crash(gate));
    while (gate->open_count) {
        TRY(end_branch(gate, XA_OP_ROLLBACK, &gate->open[0], &code));
        if (code != XA_OK)
            return explain(&gate->why, status_raise(STATUS_UNSUCCESSFUL),
                           "a branch that was prepared cannot be ended any more: %s [%s]",
                           code_meaning(code), code_name(code));
        ended(gate, &gate->open[0]);
    }
    TRY(list(gate, &listing));
    for (size_t i = 0; i < listing.count; i++)
        TRY(end_branch(gate, XA_OP_ROLLBACK, &listing.xids[i], &code));
    gate->spoilt = listing.spoilt;
    return must_list(gate, NULL, NULL);
}

static void
clean(struct gate *gate)
{
    struct explanation kept = gate->why;

    explain_nothing(&gate->why);
    gate->is_broken = clean_up(gate) != STATUS_SUCCESS;
    gate->remains = gate->why;
    gate->why = kept;
}

/* Is it there, in the library that works? */
static bool
has_function(struct gate *gate, const char *function)
{
    NTSTATUS status = gate->work ? call(gate, function, 0) : STATUS_OBJECT_NAME_NOT_FOUND;

    explain_nothing(&gate->why);
    return status == STATUS_SUCCESS || status == STATUS_UNSUCCESSFUL;
}

static enum ktm_xa_finding
run_check(struct gate *gate, size_t index)
{
    enum ktm_xa_finding found;

    explain_nothing(&gate->why);
    if (gate->is_broken)
        return finding(gate, KTM_XA_NOT_TRIED, "what was left before is in the way: %s",
                       gate->remains.text);
    if (checks[index].need == NEEDS_WORK && !gate->work)
        return finding(gate, KTM_XA_NOT_TRIED, "it takes work inside the branch (--work)");
    found = fresh_helper(gate) == STATUS_SUCCESS ? checks[index].run(gate) : KTM_XA_FAILED;
    clean(gate);
    if (found != KTM_XA_PASSED || !gate->is_broken)
        return found;
    gate->why = gate->remains;
    return KTM_XA_FAILED;
}

static void
run_all(struct gate *gate, ktm_xa_each_check *each, void *context, struct ktm_xa_verdict *verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        enum ktm_xa_finding found = run_check(gate, i);
        const struct ktm_xa_check check = {.name = checks[i].name,
                                           .meaning = checks[i].meaning,
                                           .finding = found,
                                           .text = gate->why.text};

        verdict->passed += found == KTM_XA_PASSED;
        verdict->failed += found == KTM_XA_FAILED;
        verdict->not_tried += found == KTM_XA_NOT_TRIED;
        if (each)
            each(context, &check);
    }
}

static NTSTATUS
gate_open(struct gate *gate)
{
    if (getrandom(gate->run, sizeof(gate->run), 0) != (ssize_t)sizeof(gate->run))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    gate->item = le32_get(gate->run) % 1000000000u; /* those of earlier runs may be there */
    TRY(port_open(&gate->source, &gate->port, &gate->why));
    gate->info = gate->port->info;
    gate->can_look = has_function(gate, "ktm_xa_check_look");
    gate->has_to_open = has_function(gate, "ktm_xa_check_open");
    return fresh_helper(gate);
}

static NTSTATUS
gate_run(struct gate *gate, const char *home, ktm_xa_each_check *each, void *context,
         struct ktm_xa_verdict *verdict)
{
    const struct quirk *quirk;

    TRY(gate_open(gate));
    quirk = quirk_find(gate->info.name);
    memcpy(verdict->name, gate->info.name, sizeof(verdict->name));
    verdict->known = quirk ? quirk->known : NULL;
    run_all(gate, each, context, verdict);
    verdict->is_trusted = verdict->failed == 0 && gate->work && !gate->is_broken;
    return home ? record_keep(home, &gate->info, verdict->is_trusted, &gate->why) : STATUS_SUCCESS;
}

NTSTATUS
ktm_xa_check(const char *home, const char *switch_path, const char *info,
             const struct ktm_xa_check_options *options, ktm_xa_each_check *each, void *context,
             struct ktm_xa_verdict *verdict, char *why, size_t why_size)
{
    struct gate gate = {.work = options ? options->work : NULL};
    char *helper = NULL;
    NTSTATUS status;

    if (!switch_path || !info || !verdict || strlen(info) >= MAXINFOSIZE)
        return status_raise(STATUS_INVALID_PARAMETER);
    *verdict = (struct ktm_xa_verdict){0};
    status = helper_find(options ? options->helper : NULL, &helper, &gate.why);
    if (status == STATUS_SUCCESS) {
        gate.source = (struct source){
            .spec = switch_path,
            .info = info,
            .helper = helper,
            .lock = "",
            .timeout_ms = options && options->timeout_ms ? options->timeout_ms : TIMEOUT_MS,
            .rmid = 1};
        status = gate_run(&gate, home, each, context, verdict);
    }
    port_close(gate.port);
    free(helper);
    status_forgive(explain_status(&gate.why, status, "the switch cannot be checked"));
    if (why && why_size)
        snprintf(why, why_size, "%s", status == STATUS_SUCCESS ? "" : gate.why.text);
    return status;
}
