"""What MLflow's client asks of the server itself, and the parts of MLflow that are not here."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response, get, route
from litestar.params import FromPath

from hpcshell.core.words import quote
from hpcshell.web.mlflow.calls import told
from hpcshell.web.mlflow.problems import Disabled, NoEndpoint
from hpcshell.web.security.callers import READ, needs

VERSION: Final = "3.0.0"
"""Of MLflow: whose protocol this speaks. Clients send traces from 3.4 on, and we keep none."""


class ServerInfo(msgspec.Struct):
    """What this server can do."""

    store_type: str = "SqlStore"
    workspaces_enabled: bool = False
    trace_archival_enabled: bool = False
    multipart_uploads_enabled: bool = False
    multipart_downloads_enabled: bool = False
    presigned_upload_run_id_supported: bool = False
    presigned_upload_model_id_supported: bool = False
    features_enabled: dict[str, bool] = {}


@get("/version", guards=[needs(READ)], include_in_schema=False, media_type=MediaType.TEXT)
async def version() -> str:
    """The version of MLflow that a client may take us for."""
    return VERSION


@get("/api/3.0/mlflow/server-info", guards=[needs(READ)], include_in_schema=False)
async def server_info() -> Response[bytes]:
    """What the client may use."""
    return told(ServerInfo())


ABSENT: Final = {
    "registered-models": "model registry",
    "model-versions": "model registry",
    "traces": "traces",
    "assessments": "traces",
    "scorers": "scorers",
    "datasets": "evaluation datasets",
    "prompts": "prompts",
    "gateway": "gateway",
    "webhooks": "webhooks",
    "workspaces": "workspaces",
}
"""What MLflow has and we have not, by the first part of its paths."""
_METHODS: Final[list[Any]] = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _absent(rest: str) -> Exception:
    first = rest.strip("/").partition("/")[0]
    if first in ABSENT:
        return Disabled(
            f"MLflow's {ABSENT[first]}: that is not served here",
            "there are experiments, runs, metrics, artifacts and logged models",
        )
    return NoEndpoint(
        f"there is nothing at {quote(first)}", "is the client newer than this server?"
    )


@route(
    ["/api/2.0/mlflow/{rest:path}", "/api/3.0/mlflow/{rest:path}"],
    http_method=_METHODS,
    status_code=200,
    guards=[needs(READ)],
    include_in_schema=False,
)
async def others(rest: FromPath[str]) -> None:
    """All other paths of MLflow's."""
    raise _absent(rest)


@route(
    "/v1/traces",
    http_method=["POST"],
    status_code=200,
    guards=[needs(READ)],
    include_in_schema=False,
)
async def spans(request: Request[Any, Any, Any]) -> None:
    """Traces as OpenTelemetry sends them."""
    raise _absent("traces")


handlers: Final[list[Any]] = [version, server_info, others, spans]
