/* SPDX-License-Identifier: MIT */
#include "tests/rm/servers/wire.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/test.h"

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    EXPECT(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

/* What the client says; false: to be hung up. */
static bool
carry_question(struct wire *wire, int from, int to, bool *drop_answer)
{
    char buffer[65536];
    ssize_t size = read(from, buffer, sizeof(buffer));
    const char *words = atomic_load(&wire->words);

    if (size <= 0)
        return false;
    if (words && memmem(buffer, (size_t)size, words, strlen(words))) {
        atomic_store(&wire->words, NULL);
        *drop_answer = true;
        if (atomic_load(&wire->before))
            return false;
    }
    return send(to, buffer, (size_t)size, MSG_NOSIGNAL) == size;
}

/* First the server does all that it was told, or it would depend on who is faster. */
static bool
carry_answer(int from, int to, bool drop)
{
    char buffer[65536];
    ssize_t size = read(from, buffer, sizeof(buffer));

    if (drop && shutdown(from, SHUT_WR) == 0)
        while (size > 0)
            size = read(from, buffer, sizeof(buffer));
    return size > 0 && !drop && send(to, buffer, (size_t)size, MSG_NOSIGNAL) == size;
}

struct call {
    struct wire *wire;
    int client;
};

static void *
carry(void *argument)
{
    struct call call = *(struct call *)argument;
    struct sockaddr_un address = address_of(call.wire->real);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd both[] = {{.fd = call.client, .events = POLLIN},
                            {.fd = server, .events = POLLIN}};
    bool drop = false, go_on = true;

    free(argument);
    go_on = connect(server, (struct sockaddr *)&address, sizeof(address)) == 0;
    while (go_on && poll(both, 2, -1) > 0) {
        if (both[0].revents)
            go_on = carry_question(call.wire, call.client, server, &drop);
        if (go_on && both[1].revents)
            go_on = carry_answer(server, call.client, drop);
    }
    close(server);
    close(call.client);
    return NULL;
}

static void *
take_calls(void *argument)
{
    struct wire *wire = argument;

    for (int client; (client = accept(wire->listener, NULL, NULL)) >= 0;) {
        struct call *call = malloc(sizeof(*call));
        pthread_t thread;

        EXPECT(call);
        *call = (struct call){.wire = wire, .client = client};
        EXPECT_EQ(0, pthread_create(&thread, NULL, carry, call));
        pthread_detach(thread);
    }
    return NULL;
}

void
wire_start(struct wire *wire, const char *path, const char *real)
{
    struct sockaddr_un address = address_of(path);
    pthread_t thread;

    *wire = (struct wire){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(wire->real, sizeof(wire->real), "%s", real);
    EXPECT_EQ(0, bind(wire->listener, (struct sockaddr *)&address, sizeof(address)));
    EXPECT_EQ(0, listen(wire->listener, 16));
    EXPECT_EQ(0, pthread_create(&thread, NULL, take_calls, wire));
    pthread_detach(thread);
}

void
wire_lose(struct wire *wire, const char *words, bool before)
{
    atomic_store(&wire->before, before);
    atomic_store(&wire->words, words);
}

bool
wire_has_lost(struct wire *wire)
{
    return !atomic_load(&wire->words);
}
