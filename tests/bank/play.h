/* SPDX-License-Identifier: MIT */
/* Who takes part: the client, what recovers, the servers; and everybody who kills them. */
#pragma once

#include "tests/bank/auditor.h"

enum victim {
    CLIENT,
    RECOVERY,         /* what recovers, be it the command or a program of its own */
    POSTGRES_WHOLE,   /* SIGKILL to all its processes */
    POSTGRES_HEAD,    /* SIGKILL to the first one */
    POSTGRES_CHILD,   /* SIGKILL to any other: the server starts itself again */
    POSTGRES_AT_ONCE, /* immediate shutdown */
    MARIADB_WHOLE,    /* SIGKILL */
    VICTIMS
};

/* What went on when it was killed. */
enum scene {
    WHILE_OPENING,
    WHILE_WORKING,
    WHILE_COMMITTING,
    WHILE_ROLLING_BACK,
    WHILE_CLOSING,
    WHILE_RECOVERING,
    WHILE_NOBODY, /* no client was there */
    SCENES
};

struct play {
    struct auditor auditor;
    struct postgres postgres;
    struct mariadb mariadb;
    const char *directory;
    char conninfo[800]; /* the client's way to PostgreSQL */
    struct page *page;
    uint64_t random, run;
    pid_t client, recovery; /* 0: none */
    int ears;               /* what the client says; -1: it has ended */
    bool is_ready;
    bool is_postgres_up, is_mariadb_up; /* started, and not known to be dead */
    unsigned kills, table[VICTIMS][SCENES];
};

void play_start(struct play *play);
void play_end(struct play *play);

void client_start(struct play *play);
/* Listens to it for so long, or until it is ready, or it has ended. */
void client_listen(struct play *play, unsigned milliseconds, bool until_ready);
void client_end(struct play *play); /* as an administrator does */

/* 'ktm recover', or a program that opens everything by itself. */
void recovery_start(struct play *play, bool by_client);
/* Its exit status; it was to be killed, or not. */
int recovery_wait(struct play *play);

void play_kill(struct play *play, enum victim victim);
void play_launch(struct play *play); /* the servers that are dead */
void play_wait(struct play *play);   /* until the servers answer */

/* The same on every run of a seed; the moments are not. */
unsigned play_draw(struct play *play, unsigned below);
void play_rest(unsigned microseconds);
void play_table(const struct play *play);
