#!/bin/sh
# Make the environment: `sh tools/install.sh FOLDER EXTRAS`. It says every few seconds that it lives;
# what pip has to say goes to a file, and is shown where it failed.
set -u
venv=$1 extras=$2 log=$1/install.log
started=$(date +%s)
# `venv` over what another Python has made leaves half of each: the modules of one, run by the other.
made_with() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null; }
if [ -f "$venv/pyvenv.cfg" ] && [ "$(made_with "$venv"/bin/python)" != "$(made_with "$PYTHON")" ]; then
  echo "$venv was made with another Python: it is made anew"
  rm -rf "$venv"
fi
printf 'making the environment in %s (once; one to three minutes) ' "$venv"
mkdir -p "$venv"
( while sleep 3; do printf .; done ) &
alive=$!
trap 'kill $alive 2>/dev/null' EXIT
trap 'exit 130' INT TERM
{
  # The extras are words.
  # shellcheck disable=SC2086
  "$PYTHON" -m venv "$venv" &&
    "$venv"/bin/python tools/lock.py $extras >"$venv"/part.txt &&
    $PIP --require-hashes -r "$venv"/part.txt &&
    $PIP --no-deps --no-build-isolation -e .
} >"$log" 2>&1
code=$?
kill $alive 2>/dev/null
echo
if [ $code != 0 ]; then
  tail -n 20 "$log" >&2
  echo "the environment could not be made; all that pip said is in $log" >&2
  exit 1
fi
echo "environment ready in $(( $(date +%s) - started )) s"
