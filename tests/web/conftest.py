"""What every test of the web server may use: see `tests.support.web_fixtures`.

Tests of what the tracker keeps run over SQLite and over PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.postgres import postgres
from tests.support.web_fixtures import (
    DATABASES,
    api,
    context,
    database,
    new_token,
    server,
    store,
    template,
)

__all__ = ["api", "context", "database", "new_token", "postgres", "server", "store", "template"]
ON_BOTH = {
    *("api/test_compare.py", "api/test_experiments.py", "api/test_files.py"),
    *("api/test_ingest.py", "api/test_metrics.py", "api/test_runs.py"),
    "mlflow/test_requests.py",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = Path(metafunc.definition.path)
    if "database" in metafunc.fixturenames and "/".join(path.parts[-2:]) in ON_BOTH:
        metafunc.parametrize("database", DATABASES, indirect=True)
