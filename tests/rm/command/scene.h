/* SPDX-License-Identifier: MIT */
/*
 * The command among databases: a home with a file, an SQLite database, a PostgreSQL and a MariaDB
 * server, and a program that uses all of them in one transaction and dies.
 */
#pragma once

#include "tests/rm/servers/mariadb.h"
#include "tests/rm/servers/postgres.h"
#include "tests/test.h"

struct scene {
    char home[600], file[600], sqlite[600];
    struct postgres postgres;
    struct mariadb mariadb;
    unsigned falls;      /* servers that are killed when all have promised */
    bool sqlite_decides; /* as last resource */
};

enum participant { FILES = 1, SQLITE = 2, POSTGRES = 4, MARIADB = 8 };

/* Makes the home and what 'who' names; skips the test when a server is not on this machine. */
void scene_create(struct scene *scene, unsigned who);
void scene_destroy(struct scene *scene, unsigned who);

enum death {
    NO_DEATH,
    DEATH_UNDECIDED, /* all have promised, and nothing is decided */
    DEATH_DECIDED,   /* the decision is durable, and nobody was told */
};
/* In a process of its own, one transaction in which everybody of 'who' takes part gets the item. */
void scene_leave(struct scene *scene, unsigned who, unsigned item, enum death death);
/* The servers that fell are there again. */
void scene_raise(struct scene *scene);
/* Who of 'who' has the item. */
unsigned scene_has(struct scene *scene, unsigned who, unsigned item);

/* 'ktm' with these arguments, which are words of a shell: its exit status, and all it has said. The
 * text lives until the next call. */
struct said {
    int code;
    char text[16384];
};
const struct said *ktm(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define EXPECT_SAYS(said, words)                                                                   \
    do {                                                                                           \
        if (!strstr((said)->text, (words)))                                                        \
            test_fail(__FILE__, __LINE__, "says: %s\n  must say: %s", (said)->text, (words));      \
    } while (0)
#define EXPECT_KTM(wanted, ...)                                                                    \
    ({                                                                                             \
        const struct said *said_ = ktm(__VA_ARGS__);                                               \
        if (said_->code != (wanted))                                                               \
            test_fail(__FILE__, __LINE__, "exit status %d, expected %d: %s", said_->code,          \
                      (wanted), said_->text);                                                      \
        said_;                                                                                     \
    })
