/* SPDX-License-Identifier: MIT */
/* Starting, killing and asking the PostgreSQL server of one test. */
#include "tests/rm/servers/postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

#define NOBODY       65534
#define WAIT_SECONDS 60

/* ---- programs ---- */

/* "/usr/lib/postgresql/15/bin"; the newest. */
static bool
find_programs(char into[256])
{
    glob_t found;
    bool is_there = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0;

    if (is_there)
        snprintf(into, 256, "%.*s",
                 (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/postgres")),
                 found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return is_there;
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
run(const char *format, ...)
{
    va_list arguments;
    char command[4096];

    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    if (system(command) != 0) /* NOLINT(cert-env33-c): our own words */
        test_fail(__FILE__, __LINE__, "failed: %s", command);
}

/* A server refuses to be root's. */
static void
become_nobody(void)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        _exit(126);
}

static pid_t
spawn(const struct postgres *server, char *const *arguments)
{
    pid_t parent = getpid(), child = fork();
    char log[1024];
    int fd;

    EXPECT(child >= 0);
    if (child > 0)
        return child;
    become_nobody();
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(126);
    snprintf(log, sizeof(log), "%s/log", server->directory);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    fd = open("/dev/null", O_RDONLY);
    dup2(fd, STDIN_FILENO);
    execv(arguments[0], arguments);
    _exit(127);
}

/* ---- clusters ---- */

static void
own_by_nobody(const char *path)
{
    if (geteuid() == 0)
        run("chown -R %d:%d '%s'", NOBODY, NOBODY, path);
}

static void
make_cluster(const struct postgres *server, const char *programs)
{
    char initdb[300], data[600];
    char *arguments[] = {
        initdb,  "-D",        data,
        "-U",    "ktm",       "-A",
        "trust", "--no-sync", "--locale=C.UTF-8",
        "-E",    "UTF8",      "--wal-segsize=1", /* small: it is copied for every test */
        NULL};
    int status;

    snprintf(initdb, sizeof(initdb), "%s/initdb", programs);
    snprintf(data, sizeof(data), "%s/data", server->directory);
    EXPECT(waitpid(spawn(server, arguments), &status, 0) > 0);
    EXPECT_EQ(0, status);
}

/* From the copy in the build directory, or made, and the copy with it. */
static void
take_cluster(const struct postgres *server, const char *programs)
{
    const char *version = strstr(programs, "postgresql/") + strlen("postgresql/");
    char kept[512], fresh[600];

    snprintf(kept, sizeof(kept), "%s/tests/postgres-%.*s", test_build(), (int)strcspn(version, "/"),
             version);
    if (access(kept, F_OK) != 0) {
        make_cluster(server, programs);
        snprintf(fresh, sizeof(fresh), "%s.%d", kept, getpid());
        run("cp -r '%s/data' '%s' && (mv -T '%s' '%s' || rm -rf '%s')", server->directory, fresh,
            fresh, kept, fresh);
        return;
    }
    run("cp -r --reflink=auto '%s' '%s/data'", kept, server->directory);
    run("chmod -R go= '%s/data'", server->directory);
    own_by_nobody(server->directory);
}

static void
copy_data(const struct postgres *server, const char *from, const char *to)
{
    run("rm -rf '%s/%s' && cp -a --reflink=auto '%s/%s' '%s/%s'", server->directory, to,
        server->directory, from, server->directory, to);
}

void
postgres_keep(struct postgres *server)
{
    copy_data(server, "data", "kept");
}

void
postgres_restore(struct postgres *server)
{
    copy_data(server, "kept", "data");
}

void
postgres_tool(struct postgres *server, const char *tool, const char *arguments)
{
    char programs[256], command[2048];
    char *shell[] = {"/bin/sh", "-c", command, NULL};
    int status;

    EXPECT(find_programs(programs));
    snprintf(command, sizeof(command), "exec '%s/%s' %s '%s/data'", programs, tool, arguments,
             server->directory);
    EXPECT(waitpid(spawn(server, shell), &status, 0) > 0);
    EXPECT_EQ(0, status);
}

/* ---- the server ---- */

static PGconn *
connect_to(struct postgres *server)
{
    PGconn *connection = PQconnectdb(server->conninfo);

    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    PQfinish(connection);
    return NULL;
}

void
postgres_wait(struct postgres *server)
{
    PGconn *connection = NULL;

    for (int i = 0; i < WAIT_SECONDS * 50 && !connection; i++) {
        int status;

        if (waitpid(server->process, &status, WNOHANG) == server->process) {
            char command[1024];

            snprintf(command, sizeof(command), "tail -n 20 '%s/log'", server->directory);
            if (system(command) != 0) /* NOLINT(cert-env33-c) */
                puts("no log either");
            test_fail(__FILE__, __LINE__, "the server has ended");
        }
        connection = connect_to(server);
        if (!connection)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    EXPECT(connection);
    PQfinish(connection);
}

void
postgres_launch(struct postgres *server, const char *settings)
{
    char programs[256], command[2048];
    char *arguments[] = {"/bin/sh", "-c", command, NULL};

    EXPECT(find_programs(programs));
    snprintf(command, sizeof(command),
             "exec '%s/postgres' -D '%s/data' -k '%s' -c listen_addresses= -c fsync=on"
             " -c max_prepared_transactions=20 -c max_connections=50 -c shared_buffers=8MB"
             " -c dynamic_shared_memory_type=mmap -c log_statement=none -c autovacuum=off"
             " -c max_wal_senders=0 -c wal_level=minimal -c restart_after_crash=on %s",
             programs, server->directory, server->directory, settings ? settings : "");
    server->process = spawn(server, arguments);
}

void
postgres_again(struct postgres *server, const char *settings)
{
    postgres_launch(server, settings);
    postgres_wait(server);
}

void
postgres_start(struct postgres *server, const char *settings)
{
    const char *required = getenv("KTM_SERVERS");
    char programs[256];

    if (!find_programs(programs)) {
        EXPECT(!required || strcmp(required, "required") != 0);
        test_skip(__FILE__, __LINE__, "no PostgreSQL server on this machine");
    }
    *server = (struct postgres){0};
    /* The way in for somebody else than root. */
    chmod(test_directory(), 0711);
    if (getenv("TMPDIR") && strstr(getenv("TMPDIR"), "/ktm-test-"))
        chmod(getenv("TMPDIR"), 0711);
    snprintf(server->directory, sizeof(server->directory), "%s/pg", test_directory());
    EXPECT_EQ(0, mkdir(server->directory, 0711));
    own_by_nobody(server->directory);
    take_cluster(server, programs);
    snprintf(server->conninfo, sizeof(server->conninfo), "host=%s user=ktm dbname=postgres",
             server->directory);
    postgres_again(server, settings);
}

static void
end_by(struct postgres *server, int signal)
{
    int status;

    if (server->process <= 0)
        return;
    kill(server->process, signal);
    if (waitpid(server->process, &status, 0) != server->process)
        EXPECT_EQ(ECHILD, errno); /* a child of ours has no part in its end */
    server->process = 0;
}

void
postgres_stop(struct postgres *server)
{
    end_by(server, SIGINT);
}

/* The parent of a process; 0: it has ended. */
static pid_t
parent_of(pid_t process)
{
    char path[64], line[512];
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", process);
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (fgets(line, sizeof(line), file) && strrchr(line, ')'))
        sscanf(strrchr(line, ')') + 1, " %*c %d", &parent);
    fclose(file);
    return parent;
}

/* A server that was killed leaves a little segment of System V shared memory, which it names in the
 * seventh line of its lock file; the next server may not find it. */
static void
remove_segment(const struct postgres *server)
{
    char path[600], line[256];
    int id = -1;
    FILE *file;

    snprintf(path, sizeof(path), "%s/data/postmaster.pid", server->directory);
    file = fopen(path, "r");
    for (int i = 0; file && i < 7 && fgets(line, sizeof(line), file); i++)
        if (i == 6 && sscanf(line, "%*s %d", &id) != 1)
            id = -1;
    if (file)
        fclose(file);
    if (id >= 0)
        shmctl(id, IPC_RMID, NULL);
}

/* The server's children have no children. */
struct children {
    pid_t all[512];
    size_t count;
};

static struct children
children_of(const struct postgres *server)
{
    struct children children = {.count = 0};
    DIR *all = opendir("/proc");
    struct dirent *entry;

    while ((entry = readdir(all)))
        if (atoi(entry->d_name) > 0 && parent_of(atoi(entry->d_name)) == server->process &&
            children.count < ARRAY_SIZE(children.all))
            children.all[children.count++] = atoi(entry->d_name);
    closedir(all);
    return children;
}

static bool
have_ended(const struct children *children, unsigned milliseconds)
{
    for (size_t i = 0; i < children->count; i++)
        for (; kill(children->all[i], 0) == 0; milliseconds -= 5) {
            if (milliseconds < 5)
                return false;
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
    return true;
}

/* Said again: a server that is just being started may not hear it. */
void
postgres_quit(struct postgres *server)
{
    if (server->process <= 0)
        return;
    for (int i = 0; waitpid(server->process, NULL, WNOHANG) == 0; i++) {
        if (i % 200 == 0)
            kill(server->process, SIGQUIT);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    server->process = 0;
}

void
postgres_kill(struct postgres *server)
{
    struct children children;

    if (server->process <= 0)
        return;
    kill(server->process, SIGSTOP); /* so that it makes no more of them */
    children = children_of(server);
    for (size_t i = 0; i < children.count; i++)
        kill(children.all[i], SIGKILL);
    end_by(server, SIGKILL);
    EXPECT(have_ended(&children, WAIT_SECONDS * 1000));
    remove_segment(server);
}

void
postgres_behead(struct postgres *server)
{
    struct children children;

    if (server->process <= 0)
        return;
    kill(server->process, SIGSTOP);
    children = children_of(server);
    end_by(server, SIGKILL);
    EXPECT(have_ended(&children, WAIT_SECONDS * 1000));
    remove_segment(server);
}

void
postgres_hurt(struct postgres *server, unsigned which)
{
    struct children children = children_of(server);

    /* The others are ended for it; but not for one that was about to end by itself. */
    EXPECT(children.count > 0);
    for (size_t i = 0; i < children.count; i++) {
        kill(children.all[(which + i) % children.count], SIGKILL);
        if (have_ended(&children, 1000))
            return;
    }
    test_fail(__FILE__, __LINE__, "the server's processes do not end");
}

/* ---- asking ---- */

const char *
postgres_ask(struct postgres *server, const char *sql)
{
    static char text[1024];
    PGconn *connection = connect_to(server);
    PGresult *result;

    EXPECT(connection);
    result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, PQresultErrorMessage(result));
    snprintf(text, sizeof(text), "%s",
             PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return text;
}

long
postgres_count(struct postgres *server, const char *sql)
{
    return strtol(postgres_ask(server, sql), NULL, 10);
}
