/* SPDX-License-Identifier: MIT */
/* Starting, killing and asking the MariaDB server of one test. */
#include "tests/rm/servers/mariadb.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

#define NOBODY       65534
#define WAIT_SECONDS 60
#define PROGRAM      "/usr/sbin/mariadbd"

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

static pid_t
spawn(const struct mariadb *server, const char *command)
{
    pid_t parent = getpid(), child = fork();
    char log[1024];
    int fd;

    EXPECT(child >= 0);
    if (child > 0)
        return child;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    snprintf(log, sizeof(log), "%s/log", server->directory);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    fd = open("/dev/null", O_RDONLY);
    dup2(fd, STDIN_FILENO);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* ---- data ---- */

static void
own_by_nobody(const char *path)
{
    if (geteuid() == 0)
        run("chown -R %d:%d '%s'", NOBODY, NOBODY, path);
}

static void
make_data(const struct mariadb *server)
{
    char command[4096];
    int status;

    snprintf(command, sizeof(command),
             "exec mariadb-install-db --no-defaults --datadir='%s/data' --tmpdir='%s'"
             " --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve"
             " --innodb-log-file-size=4M --innodb-buffer-pool-size=8M",
             server->directory, server->directory);
    EXPECT(waitpid(spawn(server, command), &status, 0) > 0);
    EXPECT_EQ(0, status);
}

/* From the copy in the build directory, or made, and the copy with it. */
static void
take_data(const struct mariadb *server)
{
    char kept[512], fresh[600];

    snprintf(kept, sizeof(kept), "%s/tests/mariadb-data", test_build());
    if (access(kept, F_OK) != 0) {
        make_data(server);
        snprintf(fresh, sizeof(fresh), "%s.%d", kept, getpid());
        run("cp -r '%s/data' '%s' && (mv -T '%s' '%s' || rm -rf '%s')", server->directory, fresh,
            fresh, kept, fresh);
        return;
    }
    run("cp -r --reflink=auto '%s' '%s/data'", kept, server->directory);
    own_by_nobody(server->directory);
}

/* ---- the server ---- */

static MYSQL *
connect_to(struct mariadb *server, const char *user, const char *database)
{
    MYSQL *connection = mysql_init(NULL);

    if (mysql_real_connect(connection, NULL, user ? user : "root", NULL, database, 0,
                           server->socket, CLIENT_MULTI_STATEMENTS))
        return connection;
    mysql_close(connection);
    return NULL;
}

MYSQL *
mariadb_enter(struct mariadb *server, const char *user)
{
    MYSQL *connection = connect_to(server, user, "shop");

    EXPECT(connection);
    return connection;
}

void
mariadb_wait(struct mariadb *server)
{
    MYSQL *connection = NULL;

    for (int i = 0; i < WAIT_SECONDS * 50 && !connection; i++) {
        int status;

        if (waitpid(server->process, &status, WNOHANG) == server->process) {
            char command[1024];

            snprintf(command, sizeof(command), "tail -n 20 '%s/log'", server->directory);
            if (system(command) != 0) /* NOLINT(cert-env33-c) */
                puts("no log either");
            test_fail(__FILE__, __LINE__, "the server has ended");
        }
        connection = connect_to(server, NULL, NULL);
        if (!connection)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    EXPECT(connection);
    mysql_close(connection);
}

void
mariadb_launch(struct mariadb *server, const char *settings)
{
    char command[4096];

    snprintf(command, sizeof(command),
             "exec " PROGRAM " --no-defaults --datadir='%s/data' --socket='%s' --tmpdir='%s'"
             " --pid-file='%s/pid' --skip-networking --skip-name-resolve --max-connections=50"
             " --innodb-buffer-pool-size=8M --innodb-log-file-size=4M --key-buffer-size=1M"
             " --aria-pagecache-buffer-size=1M --performance-schema=0"
             " --innodb-flush-log-at-trx-commit=1 --innodb-lock-wait-timeout=5 %s",
             server->directory, server->socket, server->directory, server->directory,
             settings ? settings : "");
    server->process = spawn(server, command);
}

void
mariadb_again(struct mariadb *server, const char *settings)
{
    mariadb_launch(server, settings);
    mariadb_wait(server);
}

void
mariadb_start(struct mariadb *server, const char *settings)
{
    const char *required = getenv("KTM_SERVERS");
    MYSQL *connection;

    if (access(PROGRAM, X_OK) != 0) {
        EXPECT(!required || strcmp(required, "required") != 0);
        test_skip(__FILE__, __LINE__, "no MariaDB server on this machine");
    }
    *server = (struct mariadb){0};
    /* The way in for somebody else than root. */
    chmod(test_directory(), 0711);
    if (getenv("TMPDIR") && strstr(getenv("TMPDIR"), "/ktm-test-"))
        chmod(getenv("TMPDIR"), 0711);
    snprintf(server->directory, sizeof(server->directory), "%s/maria", test_directory());
    snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
    EXPECT_EQ(0, mkdir(server->directory, 0711));
    own_by_nobody(server->directory);
    take_data(server);
    mariadb_again(server, settings);
    connection = connect_to(server, NULL, NULL);
    EXPECT(connection);
    EXPECT_EQ(0, mysql_query(connection, "CREATE DATABASE shop"));
    mysql_close(connection);
}

static void
end_by(struct mariadb *server, int signal)
{
    int status;

    if (server->process <= 0)
        return;
    kill(server->process, signal);
    if (waitpid(server->process, &status, 0) != server->process) {
        MYSQL *connection;

        EXPECT_EQ(ECHILD, errno); /* a child of ours has no part in its end */
        while ((connection = connect_to(server, NULL, NULL)))
            mysql_close(connection);
    }
    server->process = 0;
}

void
mariadb_stop(struct mariadb *server)
{
    end_by(server, SIGTERM);
}

void
mariadb_kill(struct mariadb *server)
{
    end_by(server, SIGKILL);
}

/* ---- asking ---- */

const char *
mariadb_ask(struct mariadb *server, const char *sql)
{
    static char text[1024];
    MYSQL *connection = mariadb_enter(server, NULL);
    bool is_first = true;

    if (mysql_query(connection, sql) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, mysql_error(connection));
    text[0] = '\0';
    for (int more = 0; more == 0; more = mysql_next_result(connection)) {
        MYSQL_RES *result = mysql_store_result(connection);
        MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;

        if (row && is_first)
            snprintf(text, sizeof(text), "%s", row[0] ? row[0] : "");
        is_first = is_first && !row;
        mysql_free_result(result);
    }
    if (mysql_errno(connection))
        test_fail(__FILE__, __LINE__, "%s: %s", sql, mysql_error(connection));
    mysql_close(connection);
    return text;
}

long
mariadb_count(struct mariadb *server, const char *sql)
{
    return strtol(mariadb_ask(server, sql), NULL, 10);
}

void
mariadb_end_others(struct mariadb *server)
{
    mariadb_ask(server,
                "BEGIN NOT ATOMIC DECLARE n BIGINT; DECLARE c CURSOR FOR SELECT id FROM"
                " information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root';"
                " DECLARE EXIT HANDLER FOR NOT FOUND BEGIN END;"
                " DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;"
                " OPEN c; LOOP FETCH c INTO n; KILL n; END LOOP; END");
}
