/* SPDX-License-Identifier: MIT */
/* Completion ports: what a packet is, for those who post one of their own making. */
#pragma once

#include "nt/own.h"

struct packet {
    struct packet *next;
    void *key, *context;
    NTSTATUS status;
    uintptr_t information;
};

/* Behind all others; takes the packet, which was allocated with malloc and begins there. A port
 * that is closed forgets it. */
void port_post(struct object *port, struct packet *packet);
