"""What a training script pays for `from hpcshell import track`."""

from __future__ import annotations

import json

import pytest

from hpcshell import track

HEAVY = {
    *("sqlalchemy", "alembic", "numpy", "litestar", "uvicorn", "jinja2", "pyarrow", "click"),
    *("asyncio", "ssl", "http", "http.client", "urllib.request", "email", "sqlite3", "subprocess"),
}
PRINT = "import json, sys; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("line", ["from hpcshell import track", "import hpcshell.track"])
def test_importing_it_loads_nothing_else(line, script):
    loaded = json.loads(script(f"import sys; old = set(sys.modules)\n{line}\n{PRINT}").stdout)
    ours = {name for name in loaded if name.startswith("hpcshell")}
    assert ours == {"hpcshell", "hpcshell.track"}
    assert not {"typing", "msgspec", "threading", *HEAVY} & set(loaded)


def test_a_run_without_a_server_loads_nothing_of_the_network(script):
    done = script(f"from hpcshell import track\nwith track.run('x') as run: run.log(a=1)\n{PRINT}")
    assert not HEAVY & set(json.loads(done.stdout))


def test_every_name_is_there_and_no_other():
    for name in track.__all__:
        assert getattr(track, name) is not None
    assert set(track.__all__) <= set(dir(track))
    with pytest.raises(AttributeError, match="nonsense"):
        track.nonsense  # noqa: B018
