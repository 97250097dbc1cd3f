#!/usr/bin/env bash
# Installs the libraries that the project is compared with into a virtual environment (about 6 GB, several minutes; Python 3.11 or later).
# usage: benches/peers/setup.sh [VENV_DIR]   (default: target/peers)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-$here/../../target/peers}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r "$here/requirements.txt"
echo "peers ready: $venv/bin/python"
