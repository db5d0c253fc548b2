/* SPDX-License-Identifier: MIT */
/* What a power cut leaves of names: made, renamed, replaced, removed. */
#include "tests/sys/files.h"

#include "sys/sim.h"

/* The names at and below the root that exist, from a fixed set, with the first letter of each
 * file's content: "a=1 d/b=2". A directory is "d/". */
static const char *
names(struct sys *sys)
{
    static const char *const paths[] = {"a", "b", "c", "d", "e", "d/a", "d/b", "d/e", "e/a", "e/b"};
    static char text[256];

    text[0] = '\0';
    EACH (path, paths) {
        struct sys_file *file = NULL;
        NTSTATUS status = sys_file_open(sys, *path, SYS_READ, &file);
        size_t at = strlen(text);

        if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND)
            continue;
        if (status == STATUS_OBJECT_TYPE_MISMATCH) {
            snprintf(text + at, sizeof(text) - at, "%s%s/", at ? " " : "", *path);
            continue;
        }
        EXPECT_OK(status);
        snprintf(text + at, sizeof(text) - at, "%s%s=%.1s", at ? " " : "", *path,
                 text_at(file, 0, 10));
        sys_file_close(file);
    }
    return text;
}

/* Makes a file whose content is stored; its name is not. */
static void
make_synced(struct sys *sys, const char *path, const char *text)
{
    owned(sys_file_close) struct sys_file *file = opened(sys, path, NEW);

    EXPECT_OK(put(file, text, 0));
    EXPECT_OK(sys_file_sync(file));
}

TEST(a_new_file_whose_directory_was_not_synced_may_vanish)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    make_synced(sys, "a", "1");
    EXPECT_TEXT("a=1", names(sys));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("", names(sys));

    make_synced(sys, "a", "1");
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    EXPECT_TEXT("a=1", names(sys));

    make_synced(sys, "b", "2");
    EXPECT_OK(sys_directory_sync(sys, "/"));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("a=1 b=2", names(sys));
}

TEST(a_name_may_survive_without_its_content)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    make(sys, "a", "1");
    EXPECT_OK(sys_directory_sync(sys, "."));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("a=", names(sys));
}

TEST(a_rename_that_was_not_synced_may_be_undone)
{
    static const struct {
        enum sys_sim_keep keep;
        bool sync;
        const char *names;
    } rows[] = {
        {SIM_KEEP_NOTHING, false, "a=1 b=2"},
        {SIM_KEEP_NOTHING, true, "b=1"},
        {SIM_KEEP_ALL, false, "b=1"},
    };

    EACH (row, rows) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
        struct sys *sys = sys_sim_process(sim);

        make_synced(sys, "a", "1");
        make_synced(sys, "b", "2");
        EXPECT_OK(sys_directory_sync(sys, "/"));
        EXPECT_OK(sys_rename(sys, "a", "b", true));
        EXPECT_TEXT("b=1", names(sys));
        if (row->sync)
            EXPECT_OK(sys_directory_sync(sys, "/"));
        sys_sim_power_on(sim, row->keep, 0);
        EXPECT_TEXT(row->names, names(sys));
    }
}

TEST(an_unlink_that_was_not_synced_may_be_undone)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    make_synced(sys, "a", "1");
    EXPECT_OK(sys_directory_sync(sys, "/"));
    EXPECT_OK(sys_unlink(sys, "a"));
    EXPECT_TEXT("", names(sys));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("a=1", names(sys));
    EXPECT_OK(sys_unlink(sys, "a"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("", names(sys));
}

TEST(a_name_given_anew_may_still_be_the_old_file)
{
    bool old = false, new = false, none = false;

    for (uint64_t seed = 0; seed < 100; seed++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
        struct sys *sys = sys_sim_process(sim);

        make_synced(sys, "a", "1");
        EXPECT_OK(sys_directory_sync(sys, "/"));
        EXPECT_OK(sys_unlink(sys, "a"));
        make_synced(sys, "a", "2");
        sys_sim_power_on(sim, SIM_KEEP_SUBSET, seed);
        old |= strcmp(names(sys), "a=1") == 0;
        new |= strcmp(names(sys), "a=2") == 0;
        none |= strcmp(names(sys), "") == 0;
    }
    EXPECT(old && new &&none);
}

/* The file is made under one name, moved to the next and the next: it has one of them or none. */
TEST(names_that_build_on_each_other_survive_in_their_order)
{
    static const char *const possible[] = {"", "a=1", "b=1", "d/ d/a=1"};
    bool seen[ARRAY_SIZE(possible)] = {false};

    for (uint64_t seed = 0; seed < 200; seed++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
        struct sys *sys = sys_sim_process(sim);
        size_t i = 0;

        make_synced(sys, "a", "1");
        EXPECT_OK(sys_rename(sys, "a", "b", false));
        EXPECT_OK(sys_directory_make(sys, "d"));
        EXPECT_OK(sys_rename(sys, "b", "d/a", false));
        sys_sim_power_on(sim, SIM_KEEP_SUBSET, seed);
        if (strcmp(names(sys), "d/") == 0 || strncmp(names(sys), "a=1 d/", 6) == 0 ||
            strncmp(names(sys), "b=1 d/", 6) == 0)
            continue; /* the same with a directory that survived */
        while (i < ARRAY_SIZE(possible) && strcmp(names(sys), possible[i]) != 0)
            i++;
        EXPECT(i < ARRAY_SIZE(possible));
        seen[i] = true;
    }
    EACH (one, seen)
        EXPECT(*one);
}

TEST(independent_names_survive_in_any_combination)
{
    bool seen[4] = {false};

    for (uint64_t seed = 0; seed < 100; seed++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
        struct sys *sys = sys_sim_process(sim);
        const char *left;

        make_synced(sys, "a", "1");
        make_synced(sys, "b", "2");
        sys_sim_power_on(sim, SIM_KEEP_SUBSET, seed);
        left = names(sys);
        seen[(strstr(left, "a=1") != NULL) + 2 * (strstr(left, "b=2") != NULL)] = true;
    }
    EACH (one, seen)
        EXPECT(*one);
}

TEST(a_prefix_of_names_and_contents_follows_the_order_of_the_calls)
{
    static const char *const kept[] = {"", "a=", "a=1", "b=1", "b=1 d/", "b=1 d/ d/e="};

    for (uint64_t choice = 0; choice < ARRAY_SIZE(kept); choice++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
        struct sys *sys = sys_sim_process(sim);

        make(sys, "a", "1");
        EXPECT_OK(sys_rename(sys, "a", "b", true));
        EXPECT_OK(sys_directory_make(sys, "d"));
        EXPECT_OK(open_status(sys, "d/e", NEW));
        EXPECT_EQ(5, sys_sim_pending(sim));
        sys_sim_power_on(sim, SIM_KEEP_PREFIX, choice);
        EXPECT_TEXT(kept[choice], names(sys));
    }
}

TEST(a_directory_that_was_lost_takes_its_synced_content_with_it)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    EXPECT_OK(sys_directory_make(sys, "d"));
    make_synced(sys, "d/a", "1");
    EXPECT_OK(sys_directory_sync(sys, "d"));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("", names(sys));
    EXPECT_OK(sys_directory_make(sys, "d"));
    EXPECT_TEXT("d/", names(sys));
}

TEST(a_sync_stores_the_names_of_its_directory_only)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    EXPECT_OK(sys_directory_make(sys, "d"));
    EXPECT_OK(sys_directory_make(sys, "e"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    make_synced(sys, "d/a", "1");
    make_synced(sys, "e/a", "2");
    make_synced(sys, "c", "3");
    EXPECT_OK(sys_directory_sync(sys, "d"));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("d/ e/ d/a=1", names(sys));
}

TEST(a_move_between_directories_is_stored_whole_by_a_sync_of_either)
{
    static const char *const either[] = {"d", "e"};

    EACH (one, either) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
        struct sys *sys = sys_sim_process(sim);

        EXPECT_OK(sys_directory_make(sys, "d"));
        EXPECT_OK(sys_directory_make(sys, "e"));
        make_synced(sys, "d/a", "1");
        EXPECT_OK(sys_directory_sync(sys, "/"));
        EXPECT_OK(sys_rename(sys, "d/a", "e/b", false)); /* its making is not stored yet */
        EXPECT_OK(sys_directory_sync(sys, *one));
        sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
        EXPECT_TEXT("d/ e/ e/b=1", names(sys));
    }
}

TEST(a_torn_change_of_names_happens_or_does_not)
{
    bool made[2] = {false}, renamed[2] = {false}, removed[2] = {false}, directory[2] = {false};

    for (uint64_t seed = 0; seed < 40; seed++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
        struct sys *sys = sys_sim_process(sim);

        make_synced(sys, "b", "2");
        EXPECT_OK(sys_directory_sync(sys, "/"));
        sys_sim_cut_after(sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, open_status(sys, "a", NEW));
        sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
        made[strcmp(names(sys), "a= b=2") == 0] = true;
        sys_sim_cut_after(sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_rename(sys, "b", "c", false));
        sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
        renamed[strstr(names(sys), "c=2") != NULL] = true;
        EXPECT(!strstr(names(sys), "b=2") == !!strstr(names(sys), "c=2"));
        sys_sim_cut_after(sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR,
                      sys_unlink(sys, strstr(names(sys), "b=2") ? "b" : "c"));
        sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
        removed[strstr(names(sys), "=2") == NULL] = true;
        sys_sim_cut_after(sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_directory_make(sys, "d"));
        sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
        directory[strstr(names(sys), "d/") != NULL] = true;
    }
    EXPECT(made[0] && made[1] && renamed[0] && renamed[1]);
    EXPECT(removed[0] && removed[1] && directory[0] && directory[1]);
}

TEST(a_torn_directory_sync_stores_some_of_the_names)
{
    bool seen[4] = {false};

    for (uint64_t seed = 0; seed < 60; seed++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
        struct sys *sys = sys_sim_process(sim);

        make_synced(sys, "a", "1");
        make_synced(sys, "b", "2");
        sys_sim_cut_after(sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_directory_sync(sys, "/"));
        sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
        seen[(strstr(names(sys), "a=1") != NULL) + 2 * (strstr(names(sys), "b=2") != NULL)] = true;
    }
    EACH (one, seen)
        EXPECT(*one);
}

TEST(directories_can_be_moved_and_their_files_move_along)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    EXPECT_OK(sys_directory_make(sys, "d"));
    make_synced(sys, "d/a", "1");
    EXPECT_OK(sys_directory_sync(sys, "d"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    EXPECT_OK(sys_rename(sys, "d", "e", false));
    EXPECT_TEXT("e/ e/a=1", names(sys));
    EXPECT_TEXT("1", content(sys, "e/../e/./a"));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("d/ d/a=1", names(sys));
}
