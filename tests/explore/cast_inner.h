/* SPDX-License-Identifier: MIT */
/* What the files of the cast share. */
#pragma once

#include "tests/explore/cast.h"

/* Somebody was told the outcome; 'by': whom he heard it from. Ends the test on a contradiction. */
void told_committed(struct act *act, const char *by);
void told_aborted(struct act *act, const char *by);
GUID cast_guid(unsigned number);
