/* SPDX-License-Identifier: MIT */
/* The system services and their Zw twins, out of the one table there is. */
#include "tests/riot/riot.h"

#include "nt/services.h"

#define ROW(name, kind, right, arguments)                                                          \
    {"Nt" #name, (void (*)(void))Nt##name, #arguments, RESULT_STATUS, 0},                          \
        {"Zw" #name, (void (*)(void))Zw##name, #arguments, RESULT_STATUS, 0},

static struct routine all[] = {NT_SERVICES(ROW)};
const struct routines riot_services = {all, ARRAY_SIZE(all)};
