"""What of a model its need of memory follows from."""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core.records import Record

SIZE_WORD: Final = (
    r"(?a)\A(?:(?P<experts>\d{1,3})x)?(?P<number>\d{1,5}(?:\.\d{1,3})?)(?P<unit>[bm])\Z"
)
"""A word of a name that tells how large the model is: `7b`, `1.5b`, `350m`, `8x7b`."""


class Model(Record, frozen=True, kw_only=True):
    """The shape of a model, as the config.json that it is published with has it.

    `hidden` is the width of a layer, `ffn` that of its feed-forward part (0: a mixture of experts,
    of whose parameters `active` work on a token). `kv_heads` 0: nothing is kept of earlier tokens
    (encoders, diffusion). `longest` is the longest context. `tied`: the matrix that makes the words
    is the one that reads them. `latent`: numbers kept of a token by each layer where that is not
    keys and values (multi-head latent attention). With a `window` only `full` layers look at all of
    the context, the others at so many tokens. `image`: bytes that each image needs beside its
    tokens while it is decoded. `guessed`: it is known by the size in its name alone.
    """

    name: str
    parameters: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocabulary: int
    longest: int
    dtype: str = "bf16"
    tied: bool = False
    active: int = 0
    latent: int = 0
    window: int = 0
    full: int = 0
    image: int = 0
    guessed: bool = False

    @property
    def embeddings(self) -> int:
        """Parameters of the matrices that read and make words."""
        return min(self.parameters, self.vocabulary * self.hidden * (1 if self.tied else 2))

    @property
    def family(self) -> str:
        """The name without the size: `qwen2.5` of `qwen2.5-7b`."""
        words = self.name.split("-")
        sized = [place for place, word in enumerate(words) if re.match(SIZE_WORD, word)]
        return "-".join(words[: sized[0]]) if sized and sized[0] else self.name
