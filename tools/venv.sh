#!/bin/sh
# Make .venv hold the package (editable) with one of its sets of extras, if it does not yet:
#     tools/venv.sh package|dev|docs
# Needs Python 3.11 or newer (PYTHON=/path/to/python chooses one); no root, no python3-venv.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)
what=${1:-package}
venv=.venv
stamp=$venv/.$what

say() { printf '%s\n' "$*" >&2; }
fail() { say "hpcshell: $1"; shift; for line; do say "  hint: $line"; done; exit 1; }

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if recent_enough "$name"; then
            echo "$name"
            return
        fi
    done
    have=$(python3 -V 2>/dev/null || echo "no python3")
    fail "needs Python 3.11 or newer; here is $have" \
        "Debian 12, Ubuntu 24.04 or newer: apt install python3 python3-venv" \
        "or name one: make PYTHON=/path/to/python3.11"
}

# Debian keeps the bundled pip in a package of its own, python3-venv. Without it: another pip.
make_venv() {
    say "making .venv with $("$python" -V)"
    rm -rf "$venv"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null && "$python" -m venv "$venv" >&2; then
        return
    fi
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv" >&2 ||
        fail "$python cannot make a virtual environment" "apt install python3-venv"
    "$python" -m pip --python "$venv/bin/python" install --quiet pip >&2 2>/dev/null ||
        "$venv/bin/python" tools/fetch_pip.py ||
        { rm -rf "$venv"; fail "$python has no pip for a virtual environment" "apt install python3-venv"; }
}

# A .venv that was made elsewhere (a moved checkout) or whose Python has gone is of no use.
usable() {
    [ "$(cat "$venv/.place" 2>/dev/null)" = "$here" ] && recent_enough "$venv/bin/python"
}

exec 9<"$here"
flock 9 # two makes at once
python=
if ! usable; then
    python=$(find_python)
    make_venv
    echo "$here" >"$venv/.place"
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    extras=
    [ "$what" = package ] || extras="[$what]"
    say "installing hpcshell$extras into .venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".$extras" >&2 ||
        fail "pip could not install hpcshell$extras (its words are above)" \
            "is there a way to a package index? behind a proxy set HTTPS_PROXY; for a mirror PIP_INDEX_URL"
    # Bytecode at once, for those who forbid Python to write it later: a start is then twice as fast.
    "$venv/bin/python" -m compileall -q src || true
    touch "$stamp"
fi
