/* SPDX-License-Identifier: MIT */
/*
 * Completion ports: queues of packets that anybody posts and each of which one thread takes.
 *
 * A port is signalled while it has packets. The queue is guarded by the lock of own.h, as the
 * signal is. Who posts wakes one taker for each packet; takers sleep on a word of their own, so
 * that nobody who merely waits for the object swallows their wake-up.
 */
#include "nt/port.h"

#include <limits.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "nt/birth.h"
#include "nt/loan.h"
#include "nt/services.h"
#include "sys/thread.h"

#define PACKETS_MAX (1u << 20) /* that callers may post; loans bring their own */

struct port {
    struct object object;
    struct engine_port face;
    struct packet *first, **last;
    _Atomic uint32_t count;  /* changes under the lock */
    _Atomic uint32_t posted; /* the word that takers sleep on */
    _Atomic uint32_t takers; /* how many may be asleep on it */
};

#define AS_PORT(o) container_of(o, struct port, object)

/* ---- life ---- */

static void
face_hold(struct engine_port *face)
{
    any_hold(&container_of(face, struct port, face)->object);
}

static void
face_release(struct engine_port *face)
{
    any_release(&container_of(face, struct port, face)->object);
}

static void
face_complete(struct engine_port *face, struct engine_loan *loan, NTSTATUS status, uint32_t length)
{
    loan_complete(&container_of(face, struct port, face)->object, loan, status, length);
}

struct engine_port *
port_face(struct object *port)
{
    return &AS_PORT(port)->face;
}

static struct object *
port_create(void)
{
    struct port *port = calloc(1, sizeof(*port));

    if (!port)
        return NULL;
    own_init(&port->object, OBJECT_PORT);
    port->face = (struct engine_port){face_hold, face_release, face_complete};
    port->last = &port->first;
    return &port->object;
}

static void
packets_free(struct packet *packet)
{
    while (packet) {
        struct packet *next = packet->next;

        free(packet);
        packet = next;
    }
}

static bool
port_is_closed(struct port *port)
{
    return (atomic_load(&port->object.signal) & SIGNAL_EXPIRED) != 0;
}

/* Under the lock: all packets, which are the caller's. */
static struct packet *
packets_take(struct port *port)
{
    struct packet *packets = port->first;

    port->first = NULL;
    port->last = &port->first;
    port->count = 0;
    return packets;
}

void
port_closed(struct object *object)
{
    struct port *port = AS_PORT(object);
    struct packet *packets;

    own_lock();
    packets = packets_take(port);
    own_unsignal(object);
    own_expire(object);
    atomic_fetch_add(&port->posted, 1);
    own_unlock();
    packets_free(packets);
    if (atomic_load(&port->takers))
        sys_wake(&port->posted, INT_MAX);
}

void
port_destroy(struct object *object)
{
    packets_free(packets_take(AS_PORT(object)));
    free(AS_PORT(object));
}

/* ---- packets ---- */

void
port_post(struct object *object, struct packet *packet)
{
    struct port *port = AS_PORT(object);
    bool is_closed;

    packet->next = NULL;
    own_lock();
    is_closed = port_is_closed(port);
    if (!is_closed) {
        *port->last = packet;
        port->last = &packet->next;
        port->count++;
        own_signal(object);
        atomic_fetch_add(&port->posted, 1);
    }
    own_unlock();
    if (is_closed) {
        free(packet);
        return;
    }
    own_wake(object);
    if (atomic_load(&port->takers))
        sys_wake(&port->posted, 1);
}

/* The oldest packet. Answers: TIMEOUT (there is none), ABANDONED_WAIT_0 (closed). */
static NTSTATUS
port_look(struct port *port, uint32_t *seen, struct packet **out)
{
    struct packet *packet;
    NTSTATUS status = STATUS_SUCCESS;

    own_lock();
    *seen = atomic_load(&port->posted);
    packet = port->first;
    if (packet) {
        port->first = packet->next;
        if (--port->count == 0) {
            port->last = &port->first;
            own_unsignal(&port->object);
        }
        *out = packet;
    } else {
        status = port_is_closed(port) ? STATUS_ABANDONED_WAIT_0 : STATUS_TIMEOUT;
    }
    own_unlock();
    return status;
}

static NTSTATUS
port_take(struct port *port, uint64_t deadline, struct packet **out)
{
    uint32_t seen;
    NTSTATUS status = port_look(port, &seen, out);

    if (status != STATUS_TIMEOUT || deadline == 0)
        return status;
    atomic_fetch_add(&port->takers, 1);
    for (bool is_late = false;; is_late = !sys_wait(&port->posted, seen, deadline)) {
        status = port_look(port, &seen, out);
        if (status != STATUS_TIMEOUT || is_late)
            break;
    }
    atomic_fetch_sub(&port->takers, 1);
    return status;
}

/* ---- services ---- */

NTSTATUS
service_CreateIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                           POBJECT_ATTRIBUTES ObjectAttributes, ULONG Count)
{
    owned(birth) struct birth birth = {0};
    struct object *port;

    (void)Count; /* as many threads as take packets */
    TRY(birth_check(&birth, OBJECT_PORT, IoCompletionHandle, DesiredAccess, ObjectAttributes));
    TRY(birth_claim(&birth));
    port = port_create();
    if (!port)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    birth_done(&birth, port);
    return STATUS_SUCCESS;
}

NTSTATUS
service_SetIoCompletion(HANDLE IoCompletionHandle, PVOID KeyContext, PVOID ApcContext,
                        NTSTATUS IoStatus, ULONG_PTR IoStatusInformation)
{
    owned(handle_release) struct handle *port = NULL;
    struct packet *packet;

    TRY(service_handle(SERVICE_SetIoCompletion, IoCompletionHandle, &port));
    if (AS_PORT(port->object)->count >= PACKETS_MAX) /* near enough */
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    packet = malloc(sizeof(*packet));
    if (!packet)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *packet = (struct packet){
        .key = KeyContext,
        .context = ApcContext,
        .status = IoStatus,
        .information = IoStatusInformation,
    };
    port_post(port->object, packet);
    return STATUS_SUCCESS;
}

NTSTATUS
service_RemoveIoCompletion(HANDLE IoCompletionHandle, PVOID *KeyContext, PVOID *ApcContext,
                           PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER Timeout)
{
    owned(handle_release) struct handle *port = NULL;
    struct engine *engine = engine_instance();
    struct packet *packet;
    NTSTATUS status;

    if (!KeyContext || !ApcContext || !IoStatusBlock)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(service_handle(SERVICE_RemoveIoCompletion, IoCompletionHandle, &port));
    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = port_take(AS_PORT(port->object), engine_deadline(engine, Timeout), &packet);
    if (status != STATUS_SUCCESS)
        return status;
    *KeyContext = packet->key;
    *ApcContext = packet->context;
    IoStatusBlock->Status = packet->status;
    IoStatusBlock->Information = packet->information;
    free(packet);
    return STATUS_SUCCESS;
}
