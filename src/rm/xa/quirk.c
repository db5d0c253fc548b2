/* SPDX-License-Identifier: MIT */
/* The table of quirks, and the table of codes. docs/xa.md shows the first to people. */
#include "rm/xa/quirk.h"

#include <string.h>

static const struct quirk quirks[] = {
    /* Its own interface, DB_TXN->prepare and DB_ENV->txn_recover, resolves what it has left. */
    {.name = "Berkeley DB",
     .symbol = "db_xa_switch",
     .known = "Berkeley DB 5.3 loses the names of what it has prepared: after a crash xa_recover "
              "returns them with their format and lengths zeroed, and neither xa_commit nor "
              "xa_rollback knows them; what xa_commit has answered with XA_OK is prepared again "
              "after a crash; on a damaged environment it ends the process. Branches that "
              "are left are resolved by its own interface (DB_ENV->txn_recover) only",
     .is_refused = true},
    {.name = "ktm-sqlite",
     .symbol = "sqlite_xa_switch",
     .known = "prepared branches keep readers and writers of the database out until they are "
              "ended, so there is one at a time"},
};

const struct quirk *
quirk_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(quirks); i++)
        if (strncmp(name, quirks[i].name, strlen(quirks[i].name)) == 0)
            return &quirks[i];
    return NULL;
}

const char *
quirk_symbol(size_t index)
{
    if (index == 0)
        return "xa_switch";
    return index <= ARRAY_SIZE(quirks) ? quirks[index - 1].symbol : NULL;
}

/* ---- codes ---- */

static const struct {
    int code;
    const char *name, *meaning;
} codes[] = {
    {XA_OK, "XA_OK", "done"},
    {XA_RBROLLBACK, "XA_RBROLLBACK", "it was rolled back, and the switch does not say why"},
    {XA_RBCOMMFAIL, "XA_RBCOMMFAIL", "it was rolled back: a connection was lost"},
    {XA_RBDEADLOCK, "XA_RBDEADLOCK", "it was rolled back: a deadlock"},
    {XA_RBINTEGRITY, "XA_RBINTEGRITY", "it was rolled back: its data break a rule"},
    {XA_RBOTHER, "XA_RBOTHER", "it was rolled back, for a reason of the resource's own"},
    {XA_RBPROTO, "XA_RBPROTO", "it was rolled back: a protocol error in the resource"},
    {XA_RBTIMEOUT, "XA_RBTIMEOUT", "it was rolled back: it took too long"},
    {XA_RBTRANSIENT, "XA_RBTRANSIENT", "it was rolled back, and may succeed another time"},
    {XA_NOMIGRATE, "XA_NOMIGRATE", "it can be resumed in the same thread only"},
    {XA_HEURHAZ, "XA_HEURHAZ", "it may have been decided without us"},
    {XA_HEURCOM, "XA_HEURCOM", "it was committed without us"},
    {XA_HEURRB, "XA_HEURRB", "it was rolled back without us"},
    {XA_HEURMIX, "XA_HEURMIX", "it was committed in part and rolled back in part without us"},
    {XA_RETRY, "XA_RETRY", "not possible now"},
    {XA_RDONLY, "XA_RDONLY", "it has changed nothing, and is over"},
    {XAER_ASYNC, "XAER_ASYNC", "something asynchronous is under way"},
    {XAER_RMERR, "XAER_RMERR", "an error in the resource"},
    {XAER_NOTA, "XAER_NOTA", "it does not know the branch"},
    {XAER_INVAL, "XAER_INVAL", "it does not like the arguments"},
    {XAER_PROTO, "XAER_PROTO", "it was called out of order"},
    {XAER_RMFAIL, "XAER_RMFAIL", "the resource is not there any more"},
    {XAER_DUPID, "XAER_DUPID", "there is such a branch already"},
    {XAER_OUTSIDE, "XAER_OUTSIDE", "the thread is doing work outside of transactions"},
};

const char *
code_name(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].code == code)
            return codes[i].name;
    return "a code that XA does not have";
}

const char *
code_meaning(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].code == code)
            return codes[i].meaning;
    return "nobody knows what that means";
}
