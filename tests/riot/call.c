/* SPDX-License-Identifier: MIT */
/* One call, and what becomes of what it was given. */
#include "tests/riot/riot.h"

#include "ktmw32.h"
#include "wdm.h"

uint32_t
riot_below(struct caller *caller, uint32_t n)
{
    uint64_t z = caller->random += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) % n);
}

bool
call_is(const struct call *call, const char *part)
{
    return strstr(call->routine->name, part) != NULL;
}

/* Memory whose size is said in the argument before or behind it. */
static bool
is_memory(const char *type)
{
    static const char *const kinds[] = {
        "PVOID,",   "PVOID)",         "PTRANSACTION_NOTIFICATION", "PKTMOBJECT_CURSOR", "LPWSTR)",
        "HANDLE *", "const HANDLE *",
    };

    EACH (kind, kinds)
        if (strncmp(type, *kind, strlen(*kind)) == 0)
            return true;
    return false;
}

static unsigned
draw_all(struct call *call, uintptr_t arguments[ARGUMENTS_MAX])
{
    const char *at = call->routine->types + 1, *before = ""; /* behind the parenthesis */
    unsigned count = 0;

    for (;;) {
        size_t size = strcspn(at, ",)"), gap = strspn(at + size, ", ");

        EXPECT(count < ARGUMENTS_MAX);
        call->is_beside_memory = is_memory(before) || is_memory(at + size + gap);
        before = at;
        arguments[count++] = riot_draw(call, at, size);
        at += size;
        if (*at == ')')
            return count;
        at += strspn(at, ", ");
    }
}

typedef uintptr_t any(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                      uintptr_t, uintptr_t, uintptr_t);

/* Some routines write later, or hand on what they were given. */
static bool
keeps_memory(const struct call *call)
{
    return call_is(call, "GetNotification") || call_is(call, "Completion");
}

static void
call_end(struct call *call)
{
    struct piece *piece, *next;

    while (call->object_count)
        ObDereferenceObject(call->objects[--call->object_count]);
    for (piece = call->pieces; piece; piece = next) {
        next = piece->next;
        if (keeps_memory(call)) {
            piece->next = call->caller->kept;
            call->caller->kept = piece;
        } else {
            free(piece->at);
            free(piece);
        }
    }
}

static bool
has_succeeded(enum result kind, uintptr_t result)
{
    switch (kind) {
    case RESULT_STATUS:
        return (NTSTATUS)result >= 0;
    case RESULT_BOOL:
        return (BOOL)result;
    case RESULT_HANDLE:
        return result && (HANDLE)result != INVALID_HANDLE_VALUE;
    default:
        return true;
    }
}

/* Every argument is as wide as a register, and extended as its type wants: so one type of function
 * serves for all. */
void
riot_call(struct caller *caller, struct routine *routine)
{
    struct call call = {.caller = caller, .routine = routine};
    uintptr_t a[ARGUMENTS_MAX] = {0}, result = 0;

    call.size =
        riot_below(caller, 4) ? riot_below(caller, 300) : riot_below(caller, BUFFER_SIZE_MAX + 1);
    (void)draw_all(&call, a);
    caller->at = routine->name;
    if (!call.has_no_object)
        result =
            ((any *)routine->address)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
    caller->at = "nothing";
    caller->calls++;
    if (has_succeeded(routine->result, result))
        routine->successes++;
    if (routine->result == RESULT_HANDLE && has_succeeded(RESULT_HANDLE, result))
        riot_keep(caller, riot_kind_made(&call), (void *)result);
    if (call.made)
        riot_keep(caller, riot_kind_made(&call), call.made);
    call_end(&call);
}

void
riot_callback(struct caller *caller)
{
    const char *at = caller->at;

    if (caller->depth++ < 3)
        for (uint32_t i = riot_below(caller, 3); i > 0; i--)
            riot_call(caller, riot_routine(caller));
    caller->depth--;
    caller->at = at;
}

void
riot_forget(struct caller *caller)
{
    struct piece *piece;

    while ((piece = caller->kept)) {
        caller->kept = piece->next;
        free(piece->at);
        free(piece);
    }
}
