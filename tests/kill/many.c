/* SPDX-License-Identifier: MIT */
/*
 * Several transactions on files in one process, to be killed.
 *
 *     many DIR SCRIPT [NUMBER]
 *
 * Opens the home DIR/home and performs the transactions of SCRIPT from that number on (1: all of
 * them; one more than there are: it only opens). A line of the script is a step, or the end of a
 * transaction; paths are below DIR:
 *
 *     put PATH COUNT TEXT     the text so many times
 *     append PATH COUNT TEXT
 *     delete PATH             rmdir PATH             mkdir PATH MODE      chmod PATH MODE
 *     rename FROM TO          symlink PATH TEXT      tree TO FROM
 *     commit                  rollback
 *
 * What it has been told is appended to DIR/said, in the order of everything else that it changes,
 * so that a trace shows when: '<number> committed' or '<number> rolled back'. It exits with 0 when
 * all was as the script says; with 3 after the first transaction that came to another end, or that
 * is committed and not finished; with 4 when somebody is said to have been in its way: there is
 * nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktm_file.h>

enum { DONE, WRONG_USE = 2, STOPPED, CONFLICT }; /* exit status */

#define WORDS_MAX     4
#define LINE_MAX_SIZE 256

struct line {
    char text[LINE_MAX_SIZE];
    char *words[WORDS_MAX];
};

static int said = -1; /* DIR/said */

static void __attribute__((noreturn)) end(int code, const char *what, const char *why)
{
    fprintf(stderr, "many: %s: %s\n", what, why);
    exit(code);
}

/* ---- the script ---- */

static bool
line_read(FILE *script, struct line *line)
{
    char *rest;

    if (!fgets(line->text, sizeof(line->text), script))
        return false;
    for (size_t i = 0; i < WORDS_MAX; i++)
        line->words[i] = strtok_r(i ? NULL : line->text, " \n", &rest);
    for (size_t i = 0; i < WORDS_MAX; i++)
        if (!line->words[i])
            line->words[i] = (char *)"";
    return true;
}

static bool
is_verb(const struct line *line, const char *verb)
{
    return strcmp(line->words[0], verb) == 0;
}

static bool
is_end(const struct line *line)
{
    return is_verb(line, "commit") || is_verb(line, "rollback");
}

/* ---- one step ---- */

/* The caller frees it. */
static char *
repeated(const struct line *line, size_t *size)
{
    size_t length = strlen(line->words[3]);
    unsigned long count = strtoul(line->words[2], NULL, 10);
    char *content = malloc(length * count + 1);

    if (!content)
        end(STOPPED, line->words[1], "no memory");
    *size = length * count;
    for (size_t at = 0; at < *size; at += length)
        memcpy(content + at, line->words[3], length);
    return content;
}

static NTSTATUS
write_step(struct ktm_file_tx *tx, const struct line *line)
{
    size_t size;
    char *content = repeated(line, &size);
    struct ktm_file_content bytes = ktm_file_bytes(content, size);
    NTSTATUS status = is_verb(line, "put")
                          ? ktm_file_put(tx, line->words[1], KTM_FILE_MODE_KEEP, bytes)
                          : ktm_file_append(tx, line->words[1], bytes);

    free(content);
    return status;
}

static NTSTATUS
step(struct ktm_file_tx *tx, const struct line *line)
{
    const char *path = line->words[1], *other = line->words[2];

    if (is_verb(line, "put") || is_verb(line, "append"))
        return write_step(tx, line);
    if (is_verb(line, "delete"))
        return ktm_file_delete(tx, path);
    if (is_verb(line, "rmdir"))
        return ktm_file_rmdir(tx, path);
    if (is_verb(line, "mkdir"))
        return ktm_file_mkdir(tx, path, (uint32_t)strtoul(other, NULL, 8));
    if (is_verb(line, "chmod"))
        return ktm_file_chmod(tx, path, (uint32_t)strtoul(other, NULL, 8));
    if (is_verb(line, "rename"))
        return ktm_file_rename(tx, path, other, 0);
    if (is_verb(line, "symlink"))
        return ktm_file_symlink(tx, path, other);
    if (is_verb(line, "tree"))
        return ktm_file_tree(tx, path, other);
    end(WRONG_USE, line->words[0], "no step");
}

/* ---- one transaction ---- */

static void
say(unsigned number, const char *outcome)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "%u %s\n", number, outcome);

    if (write(said, text, (size_t)size) != size)
        end(STOPPED, "said", strerror(errno));
}

/* Stops unless all is as it was asked for. */
static void
judge(struct ktm_file_tx *tx, unsigned number, bool commits, NTSTATUS status)
{
    struct ktm_file_conflict conflict;
    char why[512] = "";
    bool is_over = ktm_file_state(tx) ==
                   (commits && NT_SUCCESS(status) ? KTM_FILE_COMMITTED : KTM_FILE_ROLLED_BACK);

    ktm_file_error(tx, why, sizeof(why));
    if (commits && NT_SUCCESS(status))
        say(number, "committed");
    else if (status == STATUS_TRANSACTION_ALREADY_ABORTED || NT_SUCCESS(status))
        say(number, "rolled back");
    if (NT_SUCCESS(ktm_file_conflict(tx, 0, &conflict)))
        end(CONFLICT, conflict.path, "somebody was in the way");
    if (!NT_SUCCESS(status) || !is_over) {
        fprintf(stderr, "many: transaction %u: status %08x, state %d: %s\n", number,
                (unsigned)status, (int)ktm_file_state(tx), why);
        exit(STOPPED);
    }
}

static void
begin(struct ktm_file_rm *rm, unsigned number, struct ktm_file_tx **out)
{
    NTSTATUS status = ktm_file_begin(rm, NULL, out);

    if (!NT_SUCCESS(status)) {
        fprintf(stderr, "many: transaction %u cannot begin: %08x\n", number, (unsigned)status);
        exit(STOPPED);
    }
}

/* A step that is refused stops it all, and nobody was told anything. */
static void
must_step(struct ktm_file_tx *tx, const struct line *line)
{
    NTSTATUS status = step(tx, line);
    char why[512] = "";

    if (NT_SUCCESS(status))
        return;
    ktm_file_error(tx, why, sizeof(why));
    end(STOPPED, line->words[1], why);
}

static void
perform(struct ktm_file_rm *rm, FILE *script, unsigned first)
{
    struct ktm_file_tx *tx = NULL;
    struct line line;
    unsigned number = 1;

    while (line_read(script, &line)) {
        if (number >= first && !tx)
            begin(rm, number, &tx);
        if (!is_end(&line)) {
            if (tx)
                must_step(tx, &line);
            continue;
        }
        if (tx) {
            bool commits = is_verb(&line, "commit");

            judge(tx, number, commits, commits ? ktm_file_commit(tx) : ktm_file_rollback(tx));
            ktm_file_close(tx);
            tx = NULL;
        }
        number++;
    }
}

/* ---- all of it ---- */

static void
look_at_report(void *context, const struct ktm_file_report *report)
{
    (void)context;
    if (report->conflict_count > 0)
        end(CONFLICT, report->conflicts[0].path, "somebody was in the way of an earlier run");
    if (report->error[0])
        end(STOPPED, "an earlier run", report->error);
}

int
main(int argc, char **argv)
{
    struct ktm_file_rm *rm;
    char why[512] = "";
    FILE *script;

    if (argc < 3 || argc > 4 || chdir(argv[1]) != 0)
        end(WRONG_USE, "usage", "many DIR SCRIPT [NUMBER]");
    script = fopen(argv[2], "re");
    said = open("said", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (!script || said < 0)
        end(STOPPED, argv[1], strerror(errno));
    if (!NT_SUCCESS(ktm_file_open(NULL, "home", NULL, why, sizeof(why), &rm)))
        end(STOPPED, "home", why);
    ktm_file_recovered(rm, look_at_report, NULL);
    perform(rm, script, argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 1);
    ktm_file_shut(rm);
    close(said);
    fclose(script);
    return DONE;
}
