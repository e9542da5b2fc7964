#!/bin/sh
# Make the environment: `sh tools/install.sh FOLDER EXTRAS`. It says every few seconds that it lives;
# what pip has to say goes to a file, and is shown where it failed.
set -u
venv=$1 extras=$2 log=$1/install.log
started=$(date +%s)
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
