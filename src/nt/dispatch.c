/* SPDX-License-Identifier: MIT */
/*
 * The Nt functions and their Zw twins [GEN-01]: each is the service of the table, and a line of the
 * trace when somebody reads it.
 */
#include "nt/services.h"
#include "sys/thread.h"
#include "sys/trace.h"

#define JOIN(a, b)                                   JOIN_(a, b)
#define JOIN_(a, b)                                  a##b
#define COUNT(...)                                   COUNT_(__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
#define COUNT_(a, b, c, d, e, f, g, h, i, j, n, ...) n

/* (HANDLE, BOOLEAN) -> HANDLE a, BOOLEAN b */
#define PARAMETERS(...)                             JOIN(PARAMETERS_, COUNT(__VA_ARGS__))(__VA_ARGS__)
#define PARAMETERS_1(A)                             PARAMETERS_1_##A
#define PARAMETERS_1_void                           void
#define PARAMETERS_1_HANDLE                         HANDLE a
#define PARAMETERS_2(A, B)                          A a, B b
#define PARAMETERS_3(A, B, C)                       PARAMETERS_2(A, B), C c
#define PARAMETERS_4(A, B, C, D)                    PARAMETERS_3(A, B, C), D d
#define PARAMETERS_5(A, B, C, D, E)                 PARAMETERS_4(A, B, C, D), E e
#define PARAMETERS_6(A, B, C, D, E, F)              PARAMETERS_5(A, B, C, D, E), F f
#define PARAMETERS_7(A, B, C, D, E, F, G)           PARAMETERS_6(A, B, C, D, E, F), G g
#define PARAMETERS_8(A, B, C, D, E, F, G, H)        PARAMETERS_7(A, B, C, D, E, F, G), H h
#define PARAMETERS_10(A, B, C, D, E, F, G, H, I, J) PARAMETERS_8(A, B, C, D, E, F, G, H), I i, J j

/* (HANDLE, BOOLEAN) -> a, b; each made into VALUE(a) */
#define VALUES(V, ...) JOIN(VALUES_, COUNT(__VA_ARGS__))(V, __VA_ARGS__)
#define VALUES_1(V, A) VALUES_1_##A(V)
#define VALUES_1_void(V)
#define VALUES_1_HANDLE(V)  V(a)
#define VALUES_2(V, ...)    V(a), V(b)
#define VALUES_3(V, ...)    VALUES_2(V), V(c)
#define VALUES_4(V, ...)    VALUES_3(V), V(d)
#define VALUES_5(V, ...)    VALUES_4(V), V(e)
#define VALUES_6(V, ...)    VALUES_5(V), V(f)
#define VALUES_7(V, ...)    VALUES_6(V), V(g)
#define VALUES_8(V, ...)    VALUES_7(V), V(h)
#define VALUES_10(V, ...)   VALUES_8(V), V(i), V(j)
#define AS_IS(x)            x
#define AS_NUMBER(x)        (uintptr_t)(x)
#define OPEN(...)           __VA_ARGS__
#define VALUES_OF(V, types) VALUES_OF_(V, OPEN types)
#define VALUES_OF_(...)     VALUES(__VA_ARGS__)

/* An alias must be beside its origin. */
#define SERVICE(name, kind, right, types)                                                          \
    static_assert(__builtin_types_compatible_p(__typeof__(Nt##name), NTSTATUS types),              \
                  "Nt" #name " is as its row says");                                               \
    NTSTATUS                                                                                       \
    Nt##name(PARAMETERS types)                                                                     \
    {                                                                                              \
        uint64_t begun = unlikely(trace_is_on) ? sys_now() : 0;                                    \
        NTSTATUS status = service_##name(VALUES_OF(AS_IS, types));                                 \
                                                                                                   \
        if (unlikely(trace_is_on))                                                                 \
            service_trace(SERVICE_##name, (const uintptr_t[10]){VALUES_OF(AS_NUMBER, types)},      \
                          status, begun);                                                          \
        return status;                                                                             \
    }                                                                                              \
    extern __typeof__(Nt##name) Zw##name __attribute__((alias("Nt" #name), visibility("defaul"     \
                                                                                      "t")));

/* clang-format off: what follows is no declaration to it */
NT_SERVICES(SERVICE)
/* clang-format on */
