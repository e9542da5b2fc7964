#!/bin/sh
# The environment of `make interop`: torch on the CPU and the neighbours' readers. Kept between runs.
set -eu
python=$1 venv=$2
[ -f "$venv/.installed" ] && exit 0
free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
if [ "$free" -lt 4 ]; then
  echo "make interop needs about 4 GB of disk for torch, and $free GB are free here" >&2
  exit 1
fi
echo "making the interop environment in $venv (once; a few minutes) ..."
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check torch==2.13.0
"$venv/bin/python" -m pip install -q --disable-pip-version-check -c requirements.lock \
  -e '.[dev,parquet]' 'datasets>=3' 'pandas>=2.2' 'peft>=0.18' 'trl>=1.0,<2'
touch "$venv/.installed"
