/* SPDX-License-Identifier: MIT */
/* A doubly linked list whose links live inside the members. A member not in a list points to
 * itself. */
#pragma once

#include "base/base.h"

struct list {
    struct list *next, *prev;
};

static inline void
list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool
list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void
list_append(struct list *list, struct list *member)
{
    member->prev = list->prev;
    member->next = list;
    list->prev->next = member;
    list->prev = member;
}

static inline void
list_remove(struct list *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    list_init(member);
}

#define list_first(list, type, member) container_of((list)->next, type, member)
#define LIST_EACH(it, list, member)                                                                \
    for (it = list_first(list, __typeof__(*it), member); &it->member != (list);                    \
         it = list_first(&it->member, __typeof__(*it), member))
/* The same, when the body may remove 'it' (and nothing else). */
#define LIST_EACH_SAFE(it, after, list, member)                                                    \
    for (it = list_first(list, __typeof__(*it), member),                                           \
        after = list_first(&it->member, __typeof__(*it), member);                                  \
         &it->member != (list);                                                                    \
         it = after, after = list_first(&after->member, __typeof__(*it), member))
