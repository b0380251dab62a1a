#!/bin/sh
# Records the x87 fixtures anew on this machine's processor. Needs gcc with 32-bit libraries.
set -e
here=$(dirname "$0")
gcc -m32 -O1 -w -o "${TMPDIR:-/tmp}/x87Oracle" "$here/x87Oracle.c"
for group in transfer control arithmetic compare remainder transcendental; do
  "${TMPDIR:-/tmp}/x87Oracle" $group 90 2026 > "$here/../instructions/fixtures/x87.$group.txt"
done
