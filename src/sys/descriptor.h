/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of ours are never 0, 1 or 2: these are the standard streams of the program, whether
 * it has them open or not, and what it prints must not land in a log.
 */
#pragma once

/* Moves a descriptor of which the number is taken from the standard streams; passes any other, and
 * a failure with its errno. The result is closed on exec. */
int descriptor_raise(int fd);
