"""How the tables of models are written."""

from __future__ import annotations

from typing import Any

from hpcshell.predict.models.shape import Model

Shape = tuple[int, int, int, int, int, int]
"""Layers, hidden size, heads, heads with keys and values, size of a head, feed-forward size."""


def row(
    name: str, parameters: int, shape: Shape, vocabulary: int, longest: int, **more: Any
) -> Model:
    """One model."""
    layers, hidden, heads, kv_heads, head_size, ffn = shape
    return Model(
        name=name,
        parameters=parameters,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        ffn=ffn,
        vocabulary=vocabulary,
        longest=longest,
        **more,
    )
