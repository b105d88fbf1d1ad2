"""The import contracts of pyproject.toml say what DESIGN section 3 says, also about what is new."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "hpcshell"
PURE = {"core", "policy", "flow", "predict", "trace"}


def test_every_pure_folder_that_exists_is_under_the_purity_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {c["id"]: c for c in settings["tool"]["importlinter"]["contracts"]}
    covered = {name.removeprefix("hpcshell.") for name in contracts["pure"]["source_modules"]}
    assert covered == {name for name in PURE if (PACKAGE / name).is_dir()}


def test_a_new_folder_must_be_given_its_place_and_the_core_stays_pure(tmp_path):
    copy = tmp_path / "hpcshell"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (copy / "misc").mkdir()
    (copy / "misc" / "__init__.py").touch()
    with (copy / "core" / "errors.py").open("a") as file:
        file.write("import time\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "- hpcshell.misc" in done.stdout
    assert "hpcshell.core.errors -> time" in done.stdout
