# Sourced by every script here: where things are. Sets top, and exports what builds and tests read.
# REMORA_CACHE holds what comes from outside and outlives a build folder: llhttp's sources, the Python environment,
# clang-tidy's verdicts, base images. A fresh clone on the same machine finds them again.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export REMORA_CACHE=${REMORA_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/remora}
export REMORA_JOBS=${REMORA_JOBS:-$(nproc)}

# One environment for each content of requirements.txt: two branches never spoil each other's.
venv=$REMORA_CACHE/venv-$(sha256sum <"$top/tests/requirements.txt" | cut -c1-12)
export REMORA_PYTHON=$venv/bin/python

# ccache hits across clones: paths relative to the clone, the folder's name not hashed.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$top}
export CCACHE_NOHASHDIR=1
