/* SPDX-License-Identifier: MIT */
/* The gate: who passes, who fails, and in which checks. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/rm/xa/scene.h"

struct findings {
    char failed[1024], not_tried[1024]; /* names of checks, each between bars */
    struct ktm_xa_verdict verdict;
};

static void
take(void *context, const struct ktm_xa_check *check)
{
    struct findings *findings = context;
    char *into = check->finding == KTM_XA_FAILED      ? findings->failed
                 : check->finding == KTM_XA_NOT_TRIED ? findings->not_tried
                                                      : NULL;

    EXPECT(check->meaning[0] != '\0');
    if (!into)
        return;
    EXPECT(check->text[0] != '\0'); /* whatever went wrong is told */
    snprintf(into + strlen(into), 1024 - strlen(into), "%s|", check->name);
}

static void
check(struct scene *scene, const char *work, struct findings *findings)
{
    char library[512] = "", why[1024];
    struct ktm_xa_check_options options = {.timeout_ms = scene->options.timeout_ms,
                                           .helper = scene->options.helper};

    if (work) {
        scene_library(library, work);
        options.work = library;
    }
    *findings = (struct findings){.failed = "|", .not_tried = "|"};
    if (ktm_xa_check(NULL, scene->spec, scene->store, &options, take, findings, &findings->verdict,
                     why, sizeof(why)) != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "it cannot be checked: %s", why);
}

TEST(a_switch_that_keeps_its_promises_is_trusted)
{
    struct findings findings;
    struct scene scene;

    scene_set(&scene);
    check(&scene, "tests/xa-toy.so", &findings);
    EXPECT_TEXT("|", findings.failed);
    EXPECT_TEXT("|", findings.not_tried);
    EXPECT_EQ(12, findings.verdict.passed);
    EXPECT(findings.verdict.is_trusted);
    EXPECT_TEXT("toy", findings.verdict.name);
    EXPECT_EQ(0, scene_prepared(&scene));
}

TEST(one_that_registers_is_trusted_too)
{
    struct findings findings;
    struct scene scene;

    scene_set(&scene);
    scene_library(scene.spec, "tests/xa-toy.so:toy_register_xa_switch");
    check(&scene, "tests/xa-toy.so", &findings);
    EXPECT_TEXT("|", findings.failed);
    EXPECT(findings.verdict.is_trusted);
}

TEST(without_work_nobody_is_trusted)
{
    struct findings findings;
    struct scene scene;

    scene_set(&scene);
    check(&scene, NULL, &findings);
    EXPECT_TEXT("|", findings.failed);
    EXPECT_EQ(3, findings.verdict.passed);
    EXPECT_EQ(9, findings.verdict.not_tried);
    EXPECT(!findings.verdict.is_trusted);
}

TEST(every_broken_promise_is_found)
{
    static const struct {
        const char *order, *check;
    } rows[] = {
        {"open -3 -1", NULL}, /* it cannot be checked at all */
        {"prepare exit -1", "|empty|"},
        {"prepare hang -1", "|empty|"},
        {"prepared exit -1", "|commit|"},
        {"prepare lose -1", "|empty|"},
        {"commit lose -1", "|commit|"},
        {"commit 7 -1", "|commit|"},
        {"commit exit -1", "|commit|"},
        {"rollback lose -1", "|rollback|"},
        {"recover 0 -1", "|recover|"},
        {"recover zero -1", "|recover|"},
        {"recover 100 -1", "|open|"},
        {"rollback 0 -1", "|unknown|"},
        {"commit 0 1", "|unknown|"},
        {"committed 4 -1", "|commit|"},
    };

    EACH (row, rows) {
        struct findings findings;
        static struct scene scene;
        char path[300];

        if (row == rows)
            scene_set(&scene);
        scene.options.timeout_ms = 500;
        snprintf(path, sizeof(path), "rm -rf %s/*", scene.store);
        EXPECT_EQ(0, system(path));
        scene_order(&scene, row->order);
        if (!row->check) {
            struct ktm_xa_check_options options = {.helper = scene.options.helper};
            char why[1024];

            EXPECT_STATUS(STATUS_RM_DISCONNECTED,
                          ktm_xa_check(NULL, scene.spec, scene.store, &options, NULL, NULL,
                                       &findings.verdict, why, sizeof(why)));
            EXPECT(strstr(why, "XAER_RMERR") != NULL);
            continue;
        }
        check(&scene, "tests/xa-toy.so", &findings);
        EXPECT(!findings.verdict.is_trusted);
        if (!strstr(findings.failed, row->check))
            test_fail(__FILE__, __LINE__, "with '%s' these failed: %s, not tried: %s", row->order,
                      findings.failed, findings.not_tried);
    }
}

/* ---- switches that are in use ---- */

TEST(our_own_switch_over_sqlite_is_trusted)
{
    struct findings findings;
    struct scene scene;

    scene_set(&scene);
    scene_library(scene.spec, "libktm-sqlite-xa.so");
    if (access(scene.spec, F_OK) != 0)
        SKIP("SQLite");
    snprintf(scene.store + strlen(scene.store), 32, "/a.db?busy=200");
    check(&scene, "tests/xa-on_sqlite.so", &findings);
    EXPECT_TEXT("|", findings.failed);
    EXPECT_TEXT("|two branches|", findings.not_tried);
    EXPECT(findings.verdict.is_trusted);
    EXPECT_TEXT("ktm-sqlite", findings.verdict.name);
}

/* The one switch of others that Debian has. It prepares; but after a crash its branches have no
 * names, what it says was committed is prepared again, and nothing can be ended. */
TEST(the_switch_of_berkeley_db_fails_honestly)
{
    struct findings findings;
    struct ktm_xa_rm *rm;
    struct scene scene;
    char why[1024];

    scene_set(&scene);
    scene_library(why, "tests/xa-on_db.so");
    if (access(why, F_OK) != 0)
        SKIP("Berkeley DB");
    snprintf(scene.spec, sizeof(scene.spec), "libdb-5.3.so:db_xa_switch");
    check(&scene, "tests/xa-on_db.so", &findings);
    EXPECT(!findings.verdict.is_trusted);
    EXPECT(strstr(findings.failed, "|open|") == NULL);
    EXPECT(strstr(findings.failed, "|unknown|") == NULL);
    EXPECT(strstr(findings.failed, "|empty|") != NULL);
    EXPECT(strstr(findings.failed, "|commit|") != NULL);
    EXPECT(strstr(findings.failed, "|recover|") != NULL ||
           strstr(findings.not_tried, "|recover|") != NULL);
    EXPECT(findings.verdict.known && strstr(findings.verdict.known, "zeroed"));
    /* And the bridge does not take it, whatever it is told. */
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ktm_xa_open(NULL, scene.home, scene.spec, scene.store,
                                                    &scene.options, why, sizeof(why), &rm));
    EXPECT(strstr(why, "is refused") != NULL);
}
