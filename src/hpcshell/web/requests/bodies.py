"""Bodies that are no JSON, in the OpenAPI document.

@put("/x", operation_class=takes("application/octet-stream", "the file"))
"""

from __future__ import annotations

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType


def takes(kind: str, description: str) -> type[Operation]:
    """What describes an operation whose body is read as it is sent."""

    @dataclass
    class Taking(Operation):
        def __post_init__(self) -> None:
            schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
            self.request_body = RequestBody(
                content={kind: OpenAPIMediaType(schema=schema)},
                description=description,
                required=False,  # no bytes are some, too
            )

    return Taking
