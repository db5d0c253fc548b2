# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034 # what is set here is read there
# For run.sh and link.sh: results in TAP.
source=${KTM_SOURCE:?}/tests/programs
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT INT TERM
broken=0

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
