/* SPDX-License-Identifier: MIT */
/* Opening: what is refused, and with which words. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rm/xa/scene.h"

static void
expect_refusal(struct scene *scene, NTSTATUS wanted, const char *words)
{
    struct ktm_xa_rm *rm = NULL;
    char why[1024] = "";

    EXPECT_STATUS(wanted, ktm_xa_open(NULL, scene->home, scene->spec, scene->store, &scene->options,
                                      why, sizeof(why), &rm));
    if (!strstr(why, words))
        test_fail(__FILE__, __LINE__, "'%s' has no '%s'", why, words);
    EXPECT(rm == NULL);
}

TEST(what_is_no_switch_is_refused)
{
    struct scene scene;

    scene_set(&scene);
    scene_library(scene.spec, "tests/xa-toy.so:toy_broken_xa_switch");
    expect_refusal(&scene, STATUS_OBJECT_TYPE_MISMATCH, "no switch of XA");
    scene_library(scene.spec, "tests/xa-toy.so:none");
    expect_refusal(&scene, STATUS_OBJECT_NAME_NOT_FOUND, "no switch 'none'");
    scene_library(scene.spec, "tests/xa-toy.so");
    expect_refusal(&scene, STATUS_OBJECT_NAME_NOT_FOUND, "behind a colon");
    scene_library(scene.spec, "tests/none.so");
    expect_refusal(&scene, STATUS_OBJECT_NAME_NOT_FOUND, "cannot be loaded");
}

TEST(a_helper_that_is_missing_or_dies_is_told)
{
    struct scene scene;

    scene_set(&scene);
    scene.options.helper = "/nonexistent/helper";
    expect_refusal(&scene, STATUS_OBJECT_NAME_NOT_FOUND, "cannot be started");
    scene.options.helper = "/bin/false";
    expect_refusal(&scene, STATUS_RM_DISCONNECTED, "exit(1)");
}

TEST(an_open_that_fails_is_told)
{
    struct scene scene;

    scene_set(&scene);
    scene_order(&scene, "open -3 1");
    expect_refusal(&scene, STATUS_RM_DISCONNECTED, "XAER_RMERR");
    scene_order(&scene, "open exit 1");
    expect_refusal(&scene, STATUS_RM_DISCONNECTED, "exit(7)");
    scene_order(&scene, "recover -7 1");
    expect_refusal(&scene, STATUS_RM_DISCONNECTED, "XAER_RMFAIL");
    scene_open(&scene); /* nothing of it is left */
    scene_close(&scene);
}

TEST(a_home_belongs_to_one_switch_and_is_open_once)
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    expect_refusal(&scene, STATUS_SHARING_VIOLATION, "open already");
    scene_close(&scene);
    scene_library(scene.spec, "tests/xa-toy.so:toy_register_xa_switch");
    expect_refusal(&scene, STATUS_RM_METADATA_CORRUPT, "belongs to switch toy");
    scene.options.name = "other";
    scene_open(&scene);
    scene_close(&scene);
}

/* A child of the program lives on, and with it copies of all descriptors: no helper does. */
TEST(helpers_end_with_the_program_whatever_its_children_do)
{
    struct scene scene;
    int ends[2], status;
    pid_t child, grandchild;

    scene_set(&scene);
    EXPECT_EQ(0, pipe(ends));
    child = fork();
    if (child == 0) {
        scene_open(&scene);
        grandchild = fork();
        while (grandchild == 0)
            pause();
        EXPECT_EQ(sizeof(grandchild), write(ends[1], &grandchild, sizeof(grandchild)));
        kill(getpid(), SIGKILL);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(sizeof(grandchild), read(ends[0], &grandchild, sizeof(grandchild)));
    scene_open(&scene);
    scene_close(&scene);
    EXPECT_EQ(0, kill(grandchild, SIGKILL));
}

TEST(a_switch_that_has_not_passed_is_refused)
{
    struct scene scene;

    scene_set(&scene);
    scene.options.is_unchecked = FALSE;
    expect_refusal(&scene, STATUS_NOT_SUPPORTED, "ktm xa check");
}

/* ---- the gate's records ---- */

static void
copy_file(const char *from, const char *to)
{
    char command[1200];

    snprintf(command, sizeof(command), "cp %s %s", from, to);
    EXPECT_EQ(0, system(command));
}

/* By content: the same library elsewhere has passed, too; a byte more, and it has not. */
TEST(who_has_passed_is_known_by_the_content_of_its_file)
{
    struct ktm_xa_check_options options = {.timeout_ms = 2000};
    struct ktm_xa_verdict verdict;
    struct scene scene;
    char library[512], copy[512], why[1024];
    int fd;

    scene_set(&scene);
    scene.options.is_unchecked = FALSE;
    scene_library(library, "tests/xa-toy.so");
    options.work = library;
    options.helper = scene.options.helper;
    EXPECT_OK(ktm_xa_check(scene.home, scene.spec, scene.store, &options, NULL, NULL, &verdict, why,
                           sizeof(why)));
    EXPECT(verdict.is_trusted);
    scene_open(&scene);
    scene_close(&scene);

    snprintf(copy, sizeof(copy), "%s/copy.so", test_directory());
    copy_file(library, copy);
    snprintf(scene.spec, sizeof(scene.spec), "%s:toy_xa_switch", copy);
    scene_open(&scene);
    scene_close(&scene);
    fd = open(copy, O_WRONLY | O_APPEND);
    EXPECT_EQ(1, write(fd, "", 1));
    close(fd);
    expect_refusal(&scene, STATUS_NOT_SUPPORTED, "ktm xa check");

    /* Who fails later has not passed any more. */
    scene_order(&scene, "recover 0 -1");
    scene_library(scene.spec, "tests/xa-toy.so:toy_xa_switch");
    EXPECT_OK(ktm_xa_check(scene.home, scene.spec, scene.store, &options, NULL, NULL, &verdict, why,
                           sizeof(why)));
    EXPECT(!verdict.is_trusted);
    expect_refusal(&scene, STATUS_NOT_SUPPORTED, "ktm xa check");
}
