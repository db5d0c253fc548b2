/* SPDX-License-Identifier: MIT */
/* Counting, failing, tearing, dying. */
#include "gate.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum how { HOW_COUNT, HOW_BEFORE, HOW_AFTER, HOW_TORN, HOW_SHORT, HOW_FAIL };
enum lie { LIE_FILES = 1, LIE_DIRECTORIES = 2 };

static struct {
    char root[PATH_MAX]; /* empty: nothing is watched */
    size_t root_size;
    enum how how;
    int at; /* 0: never */
    int error;
    bool is_for_ever; /* fails from 'at' on */
    unsigned only;    /* classes that fail */
    unsigned lies;
    volatile uint64_t *shown; /* the count, in a file */
    int count;
} gate;

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool is_inside;

void *
gate_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found) {
        fprintf(stderr, "libktmkill: the C library has no '%s'\n", name);
        abort();
    }
    return found;
}

/* ---- settings ---- */

static void
refuse(const char *name, const char *value)
{
    fprintf(stderr, "libktmkill: %s=%s is not understood\n", name, value);
    _exit(125);
}

/* The position of the value in the list, which ends with NULL. */
static int
choice(const char *name, const char *const list[], int otherwise)
{
    const char *value = getenv(name);

    if (!value || !*value)
        return otherwise;
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], value) == 0)
            return i;
    refuse(name, value);
    return otherwise;
}

/* Bits for the words of a list with commas. */
static unsigned
choices(const char *name, const char *const list[], unsigned otherwise)
{
    const char *value = getenv(name);
    char copy[128], *rest = NULL;
    unsigned bits = 0;

    if (!value || !*value)
        return otherwise;
    snprintf(copy, sizeof(copy), "%s", value);
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        int i = 0;

        while (list[i] && strcmp(list[i], word) != 0)
            i++;
        if (!list[i])
            refuse(name, value);
        bits |= 1u << i;
    }
    return bits;
}

static int
error_wanted(void)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
                  {"EROFS", EROFS}, {"ENOMEM", ENOMEM}, {"EACCES", EACCES}, {"EMFILE", EMFILE}};
    const char *value = getenv("KTM_KILL_ERRNO");

    if (!value || !*value)
        return EIO;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (strcmp(errors[i].name, value) == 0)
            return errors[i].error;
    refuse("KTM_KILL_ERRNO", value);
    return EIO;
}

/* The count is kept in a file that is mapped, so that it survives the process. */
static void
count_show(const char *path)
{
    int fd = REAL(open)(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    void *at = MAP_FAILED;

    if (fd >= 0 && REAL(ftruncate)(fd, sizeof(*gate.shown)) == 0)
        at = mmap(NULL, sizeof(*gate.shown), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        refuse("KTM_KILL_COUNT", path);
    close(fd);
    gate.shown = at;
}

static void __attribute__((constructor)) gate_init(void)
{
    static const char *const hows[] = {"count", "before", "after", "torn", "short", "fail", NULL};
    static const char *const classes[] = {"space", "free", "meta", "sync", NULL};
    static const char *const lies[] = {"file-sync", "directory-sync", NULL};
    const char *root = getenv("KTM_KILL_ROOT"), *at = getenv("KTM_KILL_AT");
    const char *trace = getenv("KTM_KILL_TRACE"), *count = getenv("KTM_KILL_COUNT");
    const char *map = getenv("KTM_KILL_INODES"), *for_ever = getenv("KTM_KILL_FOREVER");

    if (map && *map)
        inodes_load(map);
    if (!root || !*root)
        return;
    if (!realpath(root, gate.root))
        refuse("KTM_KILL_ROOT", root);
    gate.root_size = strlen(gate.root);
    gate.how = (enum how)choice("KTM_KILL_HOW", hows, HOW_COUNT);
    gate.at = at ? atoi(at) : 0;
    gate.error = error_wanted();
    gate.is_for_ever = for_ever && *for_ever;
    gate.only = choices("KTM_KILL_ONLY", classes, ~0u);
    gate.lies = choices("KTM_KILL_LIE", lies, 0);
    if (count && *count)
        count_show(count);
    if (trace && *trace)
        trace_open(trace);
}

/* ---- what a call is about ---- */

static bool
is_watched(int fd, bool with_root)
{
    char link[64], path[PATH_MAX];
    ssize_t size;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof(path));
    if (size < (ssize_t)gate.root_size || memcmp(path, gate.root, gate.root_size) != 0)
        return false;
    return size == (ssize_t)gate.root_size ? with_root : path[gate.root_size] == '/';
}

static bool
is_on(void)
{
    return gate.root_size > 0 && !is_inside;
}

void
call_on_fd(struct call *call, int fd)
{
    int error = errno;

    if (is_on() && fd >= 0 && is_watched(fd, true)) {
        call->fd = fd;
        call->is_watched = true;
    }
    errno = error;
}

void
call_on_path(struct call *call, int at, const char *path, bool follow)
{
    int error = errno, fd;

    if (!is_on() || !path)
        return;
    if (!*path) { /* AT_EMPTY_PATH */
        call_on_fd(call, at);
        return;
    }
    fd = REAL(openat)(at, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (fd >= 0 && is_watched(fd, true)) {
        call->fd = fd;
        call->fd_is_ours = call->is_watched = true;
    } else if (fd >= 0) {
        close(fd);
    }
    errno = error;
}

/* Cuts the path into its directory, which is opened, and the last component. */
static int
parent_open(int at, const char *path, char name[NAME_MAX + 1])
{
    char directory[PATH_MAX], *slash;

    if (!path || snprintf(directory, sizeof(directory), "%s", path) >= (int)sizeof(directory))
        return -1;
    for (size_t size = strlen(directory); size > 1 && directory[size - 1] == '/'; size--)
        directory[size - 1] = '\0';
    slash = strrchr(directory, '/');
    if (strlen(slash ? slash + 1 : directory) > NAME_MAX)
        return -1;
    strcpy(name, slash ? slash + 1 : directory);
    if (!slash)
        strcpy(directory, ".");
    else if (slash == directory)
        slash[1] = '\0';
    else
        *slash = '\0';
    return REAL(openat)(at, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void
call_on_name(struct call *call, int at, const char *path)
{
    struct place *place = &call->places[call->place_count];
    int error = errno;
    struct statx info;

    if (!is_on())
        return;
    place->parent = parent_open(at, path, place->name);
    if (place->parent >= 0 && is_watched(place->parent, true)) {
        place->was_there = statx(place->parent, place->name, AT_SYMLINK_NOFOLLOW, 0, &info) == 0;
        call->place_count++;
        call->is_watched = true;
        call->change = CHANGE_NAMES;
    } else if (place->parent >= 0) {
        close(place->parent);
    }
    errno = error;
}

static void
call_forget(struct call *call)
{
    if (call->fd_is_ours)
        close(call->fd);
    for (int i = 0; i < call->place_count; i++)
        close(call->places[i].parent);
}

/* ---- the gate ---- */

static void
die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

static bool
is_writing(const struct call *call)
{
    return call->change == CHANGE_WRITE;
}

static bool
is_failing(const struct call *call)
{
    return gate.how == HOW_FAIL && gate.at > 0 && call->class & gate.only &&
           (gate.is_for_ever ? call->number >= gate.at : call->number == gate.at);
}

/* A sync that is said to have happened. */
static bool
is_lied_about(const struct call *call)
{
    struct stat info;

    if (!(call->class & CLASS_SYNC) || !gate.lies || call->fd < 0)
        return false;
    if (fstat(call->fd, &info) != 0)
        return false;
    return gate.lies & (S_ISDIR(info.st_mode) ? LIE_DIRECTORIES : LIE_FILES);
}

static bool
refuse_call(struct call *call, int answer, int error)
{
    call->answer = answer;
    if (answer < 0)
        trace_call(call, answer, error);
    call_forget(call);
    is_inside = false;
    pthread_mutex_unlock(&gate_lock);
    errno = error;
    return false;
}

bool
gate_enter(struct call *call)
{
    int error = errno;

    if (!call->is_watched)
        return true;
    pthread_mutex_lock(&gate_lock);
    is_inside = true;
    call->number = ++gate.count;
    if (gate.shown)
        *gate.shown = (uint64_t)gate.count;
    if (call->number == gate.at) {
        /* What cannot be torn is not begun. */
        if (gate.how == HOW_BEFORE || (gate.how == HOW_TORN && !is_writing(call)))
            die();
        call->is_last = gate.how == HOW_AFTER || gate.how == HOW_TORN;
    }
    if (is_lied_about(call))
        return refuse_call(call, 0, error);
    if (is_failing(call))
        return refuse_call(call, -1, gate.error);
    errno = error;
    return true;
}

size_t
gate_size(const struct call *call, size_t size)
{
    bool is_cut = call->is_watched && call->number == gate.at &&
                  (gate.how == HOW_TORN || (gate.how == HOW_SHORT && size > 1));

    return is_cut ? size / 2 : size;
}

long
gate_leave(struct call *call, long result)
{
    int error = errno;

    if (!call->is_watched)
        return result;
    trace_call(call, result, error);
    if (call->is_last)
        die();
    call_forget(call);
    is_inside = false;
    pthread_mutex_unlock(&gate_lock);
    errno = error;
    return result;
}
