# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what is set here is read there, and the reverse
# For run.sh and link.sh, which set 'work', a directory, and 'broken'.

# try WHAT COMMAND...: one line of TAP, with what the command said when it failed.
try() {
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok - $what"
    else
        echo "not ok - $what"
        sed 's/^/# /' "$work/log" | head -n 20
        broken=1
        return 1
    fi
}

has() { command -v "$1" >/dev/null 2>&1; }
