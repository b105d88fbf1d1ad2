#!/bin/sh
# The package alone, not editable, nothing of the checkout in sight: is it enough to run a job and to
# track a training? And with its extra `web`, to serve?
# Needs .venv (tools/venv.sh), whose pip it borrows.
set -eu
cd "$(dirname "$0")/.."
place=$(mktemp -d /tmp/hpc-check-XXXXXX)
HPCSHELL_HOME=$place/home
export HPCSHELL_HOME
hpc=$place/venv/bin/hpc
python=$place/venv/bin/python
pip="$PWD/.venv/bin/python -m pip --quiet --disable-pip-version-check --python $python"
web=
left() {
    [ -z "$web" ] || kill "$web" || true
    [ ! -e "$HPCSHELL_HOME" ] || "$hpc" daemon stop --cancel || true
    rm -rf "$place"
}
trap left EXIT

mkdir "$place/source"
cp -r src pyproject.toml README.md LICENSE "$place/source"
.venv/bin/python -m venv --without-pip "$place/venv"
$pip wheel --no-deps --wheel-dir "$place" "$place/source"
wheel=$(echo "$place"/*.whl)
$pip install --no-compile "$wheel"
cd "$place"
"$hpc" --version
said=$("$hpc" run -- echo it runs)
echo "$said"
[ "$said" = "it runs" ]

"$python" - <<'END'
from hpcshell import track

with track.run("plain", dir="spool", url="") as run:
    run.log(loss=0.5, step=1)
END
grep -q '"loss"' spool/*.jsonl
echo "it tracks"

$pip install --no-compile "$wheel[web]"
mkfifo address
"$hpc" web --port 0 >address &
web=$!
read -r url <address
"$python" - "$url/healthz" <<'END'
import sys
import urllib.request

assert urllib.request.urlopen(sys.argv[1], timeout=10).status == 200
END
kill "$web"
wait "$web"
web=
echo "it serves"
