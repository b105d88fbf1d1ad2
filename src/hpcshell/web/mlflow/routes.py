"""Routes of MLflow's REST."""

from __future__ import annotations

from typing import Any, Final

from litestar import Router
from litestar.exceptions import HTTPException

from hpcshell.core.errors import HpcError
from hpcshell.web.mlflow import artifacts, experiments, logs, models, runs, server
from hpcshell.web.mlflow.problems import respond

_errors: Final[Any] = {HpcError: respond, HTTPException: respond, Exception: respond}
_tracking: Final[list[Any]] = [
    *(*experiments.handlers, *runs.handlers, *logs.handlers, *models.handlers),
    *artifacts.tracking,
]

handlers: Final[list[Any]] = [
    Router("/api/2.0/mlflow", route_handlers=_tracking, exception_handlers=_errors),
    Router("/api/2.0/mlflow-artifacts", route_handlers=artifacts.proxy, exception_handlers=_errors),
    Router("/", route_handlers=server.handlers, exception_handlers=_errors),
]
"""Where MLflow's client expects them, given the address of the server as its tracking URI."""
