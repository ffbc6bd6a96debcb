#!/usr/bin/env bash
# empty.sh WHAT COMMAND... runs COMMAND and fails, naming WHAT, when it fails or prints anything on stdout.
set -u
what=$1
shift
echo "$*"
output=$("$@")
status=$?
if [ "$status" -ne 0 ] || [ -n "$output" ]; then
  printf '%s\n' "$output"
  echo "error: $what" >&2
  exit 1
fi
