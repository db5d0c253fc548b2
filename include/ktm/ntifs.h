/* SPDX-License-Identifier: MIT */
/* Another name under which Windows drivers find the routines of wdm.h. */
#pragma once

#include "wdm.h"
