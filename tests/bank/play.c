/* SPDX-License-Identifier: MIT */
#include "tests/bank/play.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

#define POSTGRES_SETTINGS "-c wal_buffers=256kB"
#define MARIADB_SETTINGS  "--innodb-lock-wait-timeout=1"

enum { AUDITOR = 3, HANGS_MS = 60000 };

unsigned
play_draw(struct play *play, unsigned below)
{
    return draw(&play->random, below);
}

void
play_rest(unsigned microseconds)
{
    nanosleep(&(struct timespec){.tv_sec = microseconds / 1000000,
                                 .tv_nsec = microseconds % 1000000 * 1000L},
              NULL);
}

static int64_t
now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- processes ---- */

static pid_t
start(struct play *play, char *const *words, int mouth)
{
    pid_t parent = getpid(), child;
    sigset_t end, before;
    char log[1024];
    int fd;

    /* Who is asked to end before he can hear it does so later. */
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, &before);
    child = fork();
    EXPECT(child >= 0);
    if (child > 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    snprintf(log, sizeof(log), "%s/log", play->directory);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (mouth >= 0)
        dup2(mouth, AUDITOR);
    execv(words[0], words);
    _exit(127);
}

static void
show_log(const struct play *play)
{
    char command[1024];

    snprintf(command, sizeof(command), "tail -n 30 '%s/log'", play->directory);
    fflush(stdout);
    if (system(command) != 0) /* NOLINT(cert-env33-c) */
        puts("no log");
}

/* How it ended: its exit status, or 128 and the signal. */
static int
wait_for(struct play *play, pid_t child, const char *who)
{
    int64_t until = now_ms() + HANGS_MS;
    int status;

    while (waitpid(child, &status, WNOHANG) == 0) {
        if (now_ms() > until) {
            show_log(play);
            kill(child, SIGABRT);
            test_fail(__FILE__, __LINE__, "%s does not end", who);
        }
        play_rest(500);
    }
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (WTERMSIG(status) != SIGKILL) {
        show_log(play);
        test_fail(__FILE__, __LINE__, "%s died of signal %d", who, WTERMSIG(status));
    }
    return 128 + WTERMSIG(status);
}

/* ---- the client ---- */

void
client_start(struct play *play)
{
    static const char *const patience[] = {"0", "0", "100", "101", "2000", "2001"};
    char program[1024], run[32], seed[32];
    char *words[] = {program,
                     "run",
                     (char *)play->directory,
                     play->conninfo,
                     play->mariadb.socket,
                     run,
                     seed,
                     (char *)patience[play_draw(play, ARRAY_SIZE(patience))],
                     NULL};
    int ends[2];

    snprintf(program, sizeof(program), "%s/tests/bank/bank-client", test_build());
    snprintf(run, sizeof(run), "%" PRIu64, ++play->run);
    snprintf(seed, sizeof(seed), "%u", play_draw(play, UINT32_MAX));
    EXPECT_EQ(0, pipe2(ends, O_CLOEXEC));
    atomic_store(&play->page->stage, OPENING);
    play->client = start(play, words, ends[1]);
    close(ends[1]);
    play->ears = ends[0];
    play->is_ready = false;
}

/* False: it will say nothing more. */
static bool
hear(struct play *play)
{
    struct word words[64];
    ssize_t got = read(play->ears, words, sizeof(words));

    EXPECT(got >= 0 && got % (ssize_t)sizeof(words[0]) == 0);
    for (size_t i = 0; i < (size_t)got / sizeof(words[0]); i++)
        play->is_ready |= words[i].kind == READY;
    auditor_hear(&play->auditor, words, (size_t)got / sizeof(words[0]));
    return got > 0;
}

/* It has ended: by itself only when it could not open what was dead. */
static void
client_ended(struct play *play, bool may_fail)
{
    int code;

    while (play->ears >= 0 && hear(play))
        continue;
    close(play->ears);
    play->ears = -1;
    code = wait_for(play, play->client, "the client");
    play->client = 0;
    if (code != 128 + SIGKILL && code != 0 && !(code == 1 && may_fail)) {
        show_log(play);
        test_fail(__FILE__, __LINE__, "the client ended with %d", code);
    }
}

void
client_listen(struct play *play, unsigned milliseconds, bool until_ready)
{
    int64_t until = now_ms() + milliseconds, left;

    while (play->client && !(until_ready && play->is_ready) && (left = until - now_ms()) > 0) {
        struct pollfd ears = {.fd = play->ears, .events = POLLIN};

        if (poll(&ears, 1, (int)left) > 0 && !hear(play))
            client_ended(play, true);
    }
}

void
client_end(struct play *play)
{
    if (!play->client)
        return;
    kill(play->client, SIGTERM);
    client_listen(play, HANGS_MS, false);
    if (play->client) {
        show_log(play);
        test_fail(__FILE__, __LINE__, "the client does not end");
    }
}

/* ---- recovery ---- */

void
recovery_start(struct play *play, bool by_client)
{
    char program[1024], home[1024];
    char *command[] = {program, "recover", "--home", home, NULL};
    char *client[] = {
        program, "recover", (char *)play->directory, play->conninfo, play->mariadb.socket, NULL};

    snprintf(program, sizeof(program), by_client ? "%s/tests/bank/bank-client" : "%s/ktm",
             test_build());
    snprintf(home, sizeof(home), "%s/" HOME_PATH, play->directory);
    play->recovery = start(play, by_client ? client : command, -1);
}

int
recovery_wait(struct play *play)
{
    int code = wait_for(play, play->recovery, "the recovery");

    play->recovery = 0;
    return code;
}

/* ---- killing ---- */

static enum scene
scene_now(const struct play *play)
{
    static const enum scene scenes[STAGES] = {
        [OPENING] = WHILE_OPENING, [RESTING] = WHILE_WORKING,
        [WORKING] = WHILE_WORKING, [COMMITTING] = WHILE_COMMITTING,
        [CLOSING] = WHILE_CLOSING, [ROLLING_BACK] = WHILE_ROLLING_BACK};
    uint32_t stage = atomic_load(&play->page->stage), rolling_back = 0;

    if (play->recovery)
        return WHILE_RECOVERING;
    if (!play->client)
        return WHILE_NOBODY;
    if (stage != RESTING)
        return scenes[stage];
    for (unsigned i = 0; i < THREADS; i++) {
        stage = atomic_load(&play->page->stages[i]);
        if (stage == COMMITTING)
            return WHILE_COMMITTING;
        rolling_back |= stage == ROLLING_BACK;
    }
    return rolling_back ? WHILE_ROLLING_BACK : WHILE_WORKING;
}

static void
kill_postgres(struct play *play, enum victim victim)
{
    switch (victim) {
    case POSTGRES_WHOLE:
        postgres_kill(&play->postgres);
        break;
    case POSTGRES_HEAD:
        postgres_behead(&play->postgres);
        break;
    case POSTGRES_CHILD:
        postgres_wait(&play->postgres); /* before that it has only the one that recovers */
        postgres_hurt(&play->postgres, play_draw(play, 64));
        break;
    default:
        postgres_quit(&play->postgres);
    }
    play->is_postgres_up = victim == POSTGRES_CHILD;
}

void
play_kill(struct play *play, enum victim victim)
{
    enum scene scene = scene_now(play);

    switch (victim) {
    case CLIENT:
        if (!play->client)
            return;
        kill(play->client, SIGKILL);
        client_ended(play, true);
        break;
    case RECOVERY:
        kill(play->recovery, SIGKILL);
        (void)recovery_wait(play);
        break;
    case MARIADB_WHOLE:
        if (!play->is_mariadb_up)
            return;
        mariadb_kill(&play->mariadb);
        play->is_mariadb_up = false;
        break;
    default:
        if (!play->is_postgres_up)
            return;
        kill_postgres(play, victim);
    }
    play->kills++;
    play->table[victim][scene]++;
}

void
play_launch(struct play *play)
{
    if (!play->is_postgres_up)
        postgres_launch(&play->postgres, POSTGRES_SETTINGS);
    if (!play->is_mariadb_up)
        mariadb_launch(&play->mariadb, MARIADB_SETTINGS);
    play->is_postgres_up = play->is_mariadb_up = true;
}

void
play_wait(struct play *play)
{
    postgres_wait(&play->postgres);
    mariadb_wait(&play->mariadb);
}

/* ---- beginning and end ---- */

void
play_start(struct play *play)
{
    char path[1024];
    int fd;

    play->directory = test_directory();
    play->ears = -1;
    postgres_start(&play->postgres, POSTGRES_SETTINGS);
    mariadb_start(&play->mariadb, MARIADB_SETTINGS);
    play->is_postgres_up = play->is_mariadb_up = true;
    play->auditor = (struct auditor){
        .directory = play->directory, .postgres = &play->postgres, .mariadb = &play->mariadb};
    auditor_found(&play->auditor);
    /* Who waits in PostgreSQL for one that waits elsewhere has to give up. */
    snprintf(play->conninfo, sizeof(play->conninfo), "%s options='-c lock_timeout=1000'",
             play->postgres.conninfo);
    snprintf(path, sizeof(path), "%s/" PAGE_PATH, play->directory);
    fd = open(path, O_RDWR | O_CLOEXEC);
    play->page = mmap(NULL, sizeof(*play->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(play->page != MAP_FAILED);
    close(fd);
}

void
play_end(struct play *play)
{
    postgres_stop(&play->postgres);
    mariadb_stop(&play->mariadb);
    auditor_end(&play->auditor);
}

void
play_table(const struct play *play)
{
    static const char *const victims[VICTIMS] = {
        [CLIENT] = "client",
        [RECOVERY] = "recovery",
        [POSTGRES_WHOLE] = "PostgreSQL, all of it",
        [POSTGRES_HEAD] = "PostgreSQL, first process",
        [POSTGRES_CHILD] = "PostgreSQL, another one",
        [POSTGRES_AT_ONCE] = "PostgreSQL, immediate",
        [MARIADB_WHOLE] = "MariaDB",
    };
    unsigned sums[SCENES] = {0}, all = 0;

    printf("%-26s %8s %8s %8s %8s %8s %8s %8s %8s\n", "killed", "opening", "working", "commit",
           "rollback", "closing", "recovery", "no client", "all");
    for (enum victim victim = 0; victim < VICTIMS; victim++) {
        unsigned sum = 0;

        printf("%-26s", victims[victim]);
        for (enum scene scene = 0; scene < SCENES; scene++) {
            printf(" %*u", scene == WHILE_NOBODY ? 9 : 8, play->table[victim][scene]);
            sum += play->table[victim][scene];
            sums[scene] += play->table[victim][scene];
        }
        printf(" %8u\n", sum);
        all += sum;
    }
    printf("%-26s", "all");
    for (enum scene scene = 0; scene < SCENES; scene++)
        printf(" %*u", scene == WHILE_NOBODY ? 9 : 8, sums[scene]);
    printf(" %8u\n", all);
}
