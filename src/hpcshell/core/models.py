"""How models can be used, and in what types their weights are kept: the words for it."""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote

MODES: Final = ("infer", "lora", "full")
"""Answering, training adapters, training all of it: from the least memory to the most."""
DTYPES: Final = ("fp32", "bf16", "fp16", "fp8", "int8", "int4", "nf4")
LONGEST_CONTEXT: Final = 1 << 24
"""Tokens."""
LARGEST_BATCH: Final = 1 << 16
SPELLINGS: Final = {
    "float32": "fp32",
    "f32": "fp32",
    "bfloat16": "bf16",
    "float16": "fp16",
    "f16": "fp16",
    "half": "fp16",
    "float8": "fp8",
    "8bit": "int8",
    "4bit": "int4",
}
"""Other words for a type."""


def check_mode(text: str, origin: str = "--mode") -> str:
    """The mode in our spelling. Raises `Wrong`."""
    word = text.strip().lower()
    if word not in MODES:
        near = nearest(word, MODES)
        raise Wrong(
            f"{origin}: {quote(text)} is no way to use a model",
            f"did you mean {near}?" if near else f"write {', '.join(MODES)}",
        )
    return word


def check_dtype(text: str, origin: str = "--dtype") -> str:
    """The type in our spelling: `bf16` of `torch.bfloat16`. Raises `Wrong`."""
    word = text.strip().lower().removeprefix("torch.")
    word = SPELLINGS.get(word, word)
    if word not in DTYPES:
        near = nearest(word, [*DTYPES, *SPELLINGS])
        raise Wrong(
            f"{origin}: {quote(text)} is no type of weights",
            f"did you mean {near}?" if near else f"write one of {', '.join(DTYPES)}",
        )
    return word
