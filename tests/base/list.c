/* SPDX-License-Identifier: MIT */
/* The list whose links live inside its members. */
#include "tests/test.h"

#include "base/list.h"

struct member {
    int number;
    struct list link;
};

static int
sum_in_order(struct list *list)
{
    struct member *it;
    int sum = 0;

    LIST_EACH (it, list, link)
        sum = 10 * sum + it->number;
    return sum;
}

TEST(members_keep_their_order)
{
    struct member members[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;

    list_init(&list);
    EXPECT(list_is_empty(&list));
    EXPECT_EQ(0, sum_in_order(&list));
    EACH (member, members)
        list_append(&list, &member->link);
    EXPECT(!list_is_empty(&list));
    EXPECT_EQ(123, sum_in_order(&list));
    EXPECT(list_first(&list, struct member, link) == &members[0]);

    list_remove(&members[1].link);
    EXPECT(list_is_empty(&members[1].link));
    EXPECT_EQ(13, sum_in_order(&list));
    list_remove(&members[1].link); /* a member of no list may be removed again */
    list_append(&list, &members[1].link);
    EXPECT_EQ(132, sum_in_order(&list));
}

TEST(the_loop_that_may_remove_its_member_removes_all)
{
    struct member members[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct member *it, *after;
    struct list list;
    int sum = 0;

    list_init(&list);
    EACH (member, members)
        list_append(&list, &member->link);
    LIST_EACH_SAFE (it, after, &list, link) {
        sum += it->number;
        list_remove(&it->link);
        it->link = (struct list){0}; /* the loop must not need it any more */
    }
    EXPECT_EQ(6, sum);
    EXPECT(list_is_empty(&list));
}
