/* SPDX-License-Identifier: MIT */
/* What the verbs share: options, messages, and an output that may fail. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* On one line and as text, whatever a path, the library or a file has put into it. */
static void
print_line(FILE *file, const char *before, const char *format, va_list list)
{
    char text[COMPLAINT_SIZE + 1024], safe[4 * sizeof(text) + 1];

    vsnprintf(text, sizeof(text), format, list);
    escape(text, safe);
    fprintf(file, "%s%s\n", before, safe);
}

void
print_error(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print_line(stderr, "ktm: ", format, list);
    va_end(list);
}

void
print_text(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print_line(stdout, "", format, list);
    va_end(list);
}

int
usage_error(const struct verb *verb, const char *format, ...)
{
    va_list list;

    fprintf(stderr, "ktm %s: ", verb->name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "; see 'ktm help %s'\n", verb->name);
    return EXIT_USAGE;
}

int
print_end(int code, bool is_output_all)
{
    bool has_failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !has_failed)
        return code;
    /* A reader that has seen enough, as 'head' does, is no news. */
    if (errno != EPIPE)
        print_error("cannot write the output: %s", errno ? strerror(errno) : "it failed before");
    return is_output_all && code == EXIT_COMMITTED ? EXIT_ROLLED_BACK : code;
}

bool
common_take(struct common *common, int option, const struct verb *verb, char **arguments, int *code)
{
    *code = -1;
    switch (option) {
    case 'H':
        common->home = optarg;
        return true;
    case 'J':
        common->is_json = true;
        return true;
    case 'q':
        common->is_quiet = true;
        return true;
    case 'h':
        *code = help_print(verb);
        return true;
    case 'V':
        *code = verb_version.run(1, (char *[]){(char *)"version", NULL});
        return true;
    case ':':
        *code = usage_error(verb, "option %s needs an argument", QUOTE(arguments[optind - 1]));
        return true;
    case '?':
        if (optopt && optopt < 128 && arguments[optind - 1][1] != '-')
            *code = usage_error(verb, "there is no option '-%c'", optopt);
        else if (optopt)
            *code = usage_error(verb, "option %s takes no argument", QUOTE(arguments[optind - 1]));
        else
            *code = usage_error(verb,
                                "option %s is not known, or could be "
                                "several",
                                QUOTE(arguments[optind - 1]));
        return true;
    default:
        return false;
    }
}
