/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations as steps: included before everything else (-include) in the explorer's own
 * compilation of the sources that use them without a lock. Each operation is what it was, with a
 * point before it at which another thread may go on.
 */
#pragma once

#include <stdatomic.h>

void explore_atomic(void);

#ifdef __clang__
#define RAW(name)                 __c11_atomic_##name
#define RAW_LOAD(p, order)        __c11_atomic_load(p, order)
#define RAW_STORE(p, v, order)    __c11_atomic_store(p, v, order)
#define RAW_EXCHANGE(p, v, order) __c11_atomic_exchange(p, v, order)
#define RAW_STRONG(p, e, v, s, f) __c11_atomic_compare_exchange_strong(p, e, v, s, f)
#define RAW_WEAK(p, e, v, s, f)   __c11_atomic_compare_exchange_weak(p, e, v, s, f)
#else
#define RAW(name)                 __atomic_##name
#define RAW_LOAD(p, order)        __atomic_load_n(p, order)
#define RAW_STORE(p, v, order)    __atomic_store_n(p, v, order)
#define RAW_EXCHANGE(p, v, order) __atomic_exchange_n(p, v, order)
#define RAW_STRONG(p, e, v, s, f) __atomic_compare_exchange_n(p, e, v, 0, s, f)
#define RAW_WEAK(p, e, v, s, f)   __atomic_compare_exchange_n(p, e, v, 1, s, f)
#endif
#define EXPLORED(operation) (explore_atomic(), (operation))
#define STRICTLY            __ATOMIC_SEQ_CST

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_or
#undef atomic_fetch_and
#define atomic_load(p)                          EXPLORED(RAW_LOAD(p, STRICTLY))
#define atomic_store(p, v)                      EXPLORED(RAW_STORE(p, v, STRICTLY))
#define atomic_exchange(p, v)                   EXPLORED(RAW_EXCHANGE(p, v, STRICTLY))
#define atomic_compare_exchange_strong(p, e, v) EXPLORED(RAW_STRONG(p, e, v, STRICTLY, STRICTLY))
#define atomic_compare_exchange_weak(p, e, v)   EXPLORED(RAW_WEAK(p, e, v, STRICTLY, STRICTLY))
#define atomic_fetch_add(p, v)                  EXPLORED(RAW(fetch_add)(p, v, STRICTLY))
#define atomic_fetch_sub(p, v)                  EXPLORED(RAW(fetch_sub)(p, v, STRICTLY))
#define atomic_fetch_or(p, v)                   EXPLORED(RAW(fetch_or)(p, v, STRICTLY))
#define atomic_fetch_and(p, v)                  EXPLORED(RAW(fetch_and)(p, v, STRICTLY))

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#define atomic_load_explicit(p, order)                       EXPLORED(RAW_LOAD(p, order))
#define atomic_store_explicit(p, v, order)                   EXPLORED(RAW_STORE(p, v, order))
#define atomic_compare_exchange_weak_explicit(p, e, v, s, f) EXPLORED(RAW_WEAK(p, e, v, s, f))
#define atomic_fetch_add_explicit(p, v, order)               EXPLORED(RAW(fetch_add)(p, v, order))
#define atomic_fetch_sub_explicit(p, v, order)               EXPLORED(RAW(fetch_sub)(p, v, order))
#define atomic_fetch_or_explicit(p, v, order)                EXPLORED(RAW(fetch_or)(p, v, order))
