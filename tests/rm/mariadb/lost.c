/* SPDX-License-Identifier: MIT */
/* Answers that are lost: between us and the server stands somebody who hangs up when one comes. */
#include "tests/rm/mariadb/scene.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct wire {
    char socket[600], real[600];
    int listener;
    const char *_Atomic words; /* whose answer is lost, once */
    _Atomic bool before;       /* the server is not even told */
};

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
    return write(to, buffer, (size_t)size) == size;
}

static bool
carry_answer(int from, int to, bool drop)
{
    char buffer[65536];
    ssize_t size = read(from, buffer, sizeof(buffer));

    return size > 0 && !drop && write(to, buffer, (size_t)size) == size;
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

/* Opens with the wire between; what the test itself asks goes straight. */
static void
open_over(struct scene *scene, struct wire *wire)
{
    struct sockaddr_un address;
    pthread_t thread;

    *wire = (struct wire){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(wire->real, sizeof(wire->real), "%s", scene->server.socket);
    snprintf(wire->socket, sizeof(wire->socket), "%s/wire", test_directory());
    address = address_of(wire->socket);
    EXPECT_EQ(0, bind(wire->listener, (struct sockaddr *)&address, sizeof(address)));
    EXPECT_EQ(0, listen(wire->listener, 16));
    EXPECT_EQ(0, pthread_create(&thread, NULL, take_calls, wire));
    pthread_detach(thread);
    snprintf(scene->server.socket, sizeof(scene->server.socket), "%s", wire->socket);
    scene_open(scene);
    snprintf(scene->server.socket, sizeof(scene->server.socket), "%s", wire->real);
}

TEST(a_vote_whose_answer_is_lost_is_no_and_nothing_stays_prepared)
{
    static const char *const words[] = {"INSERT INTO `shop`.ktm_outcome", "XA END", "XA PREPARE",
                                        "SAVEPOINT ktm_vote"};
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    open_over(&scene, &wire);
    EACH (word, words)
        for (int before = 0; before < 2; before++) {
            struct ktm_mariadb_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            atomic_store(&wire.before, before);
            scene_add(tx, 1, -30);
            atomic_store(&wire.words, *word);
            EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
            EXPECT(!atomic_load(&wire.words));
            EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
            ktm_mariadb_close(tx);
            NtClose(transaction);
            EXPECT_EQ(0, scene_prepared(&scene));
            EXPECT_EQ(100, scene_amount(&scene, 1));
            mariadb_ask(&scene.server, "UPDATE account SET amount = 100"); /* no lock is left */
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

TEST(an_outcome_whose_answer_is_lost_is_proved_or_said_again)
{
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    open_over(&scene, &wire);
    for (int commit = 0; commit < 2; commit++)
        for (int before = 0; before < 2; before++) {
            struct ktm_mariadb_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            atomic_store(&wire.before, before);
            scene.other_refuses = !commit;
            mariadb_ask(&scene.server, "UPDATE account SET amount = 100");
            scene_add(tx, 1, -30);
            atomic_store(&wire.words, commit ? "XA COMMIT" : "XA ROLLBACK");
            EXPECT_EQ(commit, NtCommitTransaction(transaction, TRUE) == STATUS_SUCCESS);
            EXPECT(!atomic_load(&wire.words));
            EXPECT_EQ(commit ? KTM_MARIADB_COMMITTED : KTM_MARIADB_ROLLED_BACK,
                      ktm_mariadb_state(tx));
            ktm_mariadb_close(tx);
            NtClose(transaction);
            EXPECT_EQ(0, scene_prepared(&scene));
            EXPECT_EQ(commit ? 70 : 100, scene_amount(&scene, 1));
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}
