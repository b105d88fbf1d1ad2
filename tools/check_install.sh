#!/bin/sh
# The package alone, not editable, nothing of the checkout in sight: is it enough to run a job?
# Needs .venv (tools/venv.sh), whose pip it borrows.
set -eu
cd "$(dirname "$0")/.."
place=$(mktemp -d /tmp/hpc-check-XXXXXX)
HPCSHELL_HOME=$place/home
export HPCSHELL_HOME
hpc=$place/venv/bin/hpc
trap '[ ! -e "$HPCSHELL_HOME" ] || "$hpc" daemon stop --cancel || true; rm -rf "$place"' EXIT

mkdir "$place/source"
cp -r src pyproject.toml README.md LICENSE "$place/source"
.venv/bin/python -m venv --without-pip "$place/venv"
.venv/bin/python -m pip --quiet --python "$place/venv/bin/python" install "$place/source"
cd "$place"
"$hpc" --version
said=$("$hpc" run -- echo it runs)
echo "$said"
[ "$said" = "it runs" ]
