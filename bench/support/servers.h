/* SPDX-License-Identifier: MIT */
/* Database servers of a measurement: tests/rm/servers, below this directory. */
#pragma once

void bench_servers_in(const char *directory);
