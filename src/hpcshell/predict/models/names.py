"""Models by the names that people give them.

    match("Qwen/Qwen2.5-7B-Instruct-AWQ")     the shape of qwen2.5-7b, and int4
    match("myllm-13b")                        a typical shape of 13 G parameters, `guessed`
    match("mylm")                             Wrong, with the nearest names

Case does not count, nor what stands before a slash, nor `_` for `-`, nor how a model was taught
(`-instruct`, `-chat`, `-it`). What tells of a format (`-awq`, `-fp8`) is the type of its weights.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import nearest, quote
from hpcshell.predict.models.classic import CLASSIC
from hpcshell.predict.models.recent import RECENT
from hpcshell.predict.models.shape import SIZE_WORD, Model

MODELS: Final[dict[str, Model]] = {model.name: model for model in (*RECENT, *CLASSIC)}
"""By name."""
ALIASES: Final[dict[str, str]] = {
    "bert": "bert-base",
    "clip": "clip-vit-large-patch14",
    "code-llama-7b": "llama-2-7b",
    "code-llama-13b": "llama-2-13b",
    "code-llama-34b": "codellama-34b",
    "codellama-7b": "llama-2-7b",
    "codellama-13b": "llama-2-13b",
    "codellama-70b": "llama-2-70b",
    "codestral-22b": "mistral-small-22b",
    "deepseek-r1-0528-qwen3-8b": "qwen3-8b",
    "deepseek-v3.1": "deepseek-v3",
    "flux": "flux.1",
    "flux.1-dev": "flux.1",
    "flux.1-schnell": "flux.1",
    "llama-3.1-nemotron-70b": "llama-3.1-70b",
    "llama-4-maverick-17b-128e": "llama-4-maverick",
    "llama-4-scout-17b-16e": "llama-4-scout",
    "llama-7b": "llama-2-7b",
    "llama-13b": "llama-2-13b",
    "mistral-large": "mistral-large-123b",
    "mistral-nemo": "mistral-nemo-12b",
    "mistral-small": "mistral-small-24b",
    "qwq-32b": "qwen2.5-32b",
    "sd-1.5": "stable-diffusion-1.5",
    "stable-diffusion-v1-5": "stable-diffusion-1.5",
    "stable-diffusion-xl": "sdxl",
    "vicuna-7b": "llama-2-7b",
    "vicuna-13b": "llama-2-13b",
    "whisper-large": "whisper-large-v2",
    "whisper-turbo": "whisper-large-v3-turbo",
    **{f"qwen2.5-coder-{size}": f"qwen2.5-{size}" for size in ("0.5b", "1.5b", "3b", "7b")},
    **{f"qwen2.5-coder-{size}": f"qwen2.5-{size}" for size in ("14b", "32b")},
    **{f"qwen2.5-math-{size}": f"qwen2.5-{size}" for size in ("1.5b", "7b", "72b")},
    **{f"yi-1.5-{size}": f"yi-{size}" for size in ("6b", "9b", "34b")},
}
"""Other names for the same shape."""

FORMATS: Final[dict[str, str]] = {
    **dict.fromkeys(("awq", "gptq", "int4", "4bit", "q4", "gguf", "w4a16", "mxfp4"), "int4"),
    **dict.fromkeys(("bnb", "nf4", "qlora"), "nf4"),
    **dict.fromkeys(("int8", "8bit", "q8", "w8a8"), "int8"),
    **{word: word for word in ("fp8", "bf16", "fp16", "fp32")},
}
"""Words of a name that tell the type of its weights; of several the first counts."""

_IDLE: Final = frozenset(
    {
        *("instruct", "inst", "chat", "it", "sft", "dpo", "finetuned", "pt", "preview"),
        *("hf", "meta", "text", "uncased", "cased", "latest"),
    }
)
"""Words that leave the shape as it is."""
_EDITION: Final = r"(?a)\A(?:v?\d\.\d|v\d|\d{4}|\d{1,4}k|patch\d+|\d{3}|base)\Z"
"""Words that may, and that count where a model is known with them: `v0.3`, `2407`, `128k`."""
_PARTS: Final = r"(?a)[a-z]+|\d+(?:\.\d+)*[a-z]*\d*"
"""Where a letter is followed by a digit, people put a dash or none: `llama3`, `llama-3`."""

LARGEST: Final = 10**13
"""Parameters: nobody has a larger one."""
SMALLEST: Final = 10**6


class Match(Record, frozen=True):
    """A model, the type of weights that the name tells of (""), and what is worth a note."""

    model: Model
    dtype: str = ""
    note: str = ""


def match(text: str, origin: str = "--model") -> Match:
    """The model that goes by the name. Raises `Wrong` where nothing is known of it."""
    words = words_of(text)
    told = [FORMATS[word] for word in words if word in FORMATS]
    dtype = told[0] if told else ""
    found = known(text)
    if found is not None:
        return Match(found, dtype)
    near = nearest_names(text)
    parameters = size_in(words)
    if not parameters:
        hint = f"did you mean {', '.join(near)}?" if near else "give its size in the name: mine-13b"
        raise Wrong(f"{origin}: no model {quote(text)} is known", hint)
    note = f"{quote(text)} is known by its size alone: a model of that size and a typical shape"
    like = f" (near: {', '.join(near)})" if near else ""
    return Match(typical("-".join(words), parameters), dtype, f"{note} is reckoned with{like}")


def known(text: str) -> Model | None:
    """The model of the tables; None where they have none of that name."""
    words = [word for word in words_of(text) if word not in FORMATS]
    keys = _keys()
    name = keys.get(_key(words)) or keys.get(
        _key([word for word in words if not re.match(_EDITION, word)])
    )
    return MODELS[name] if name else None


def words_of(text: str) -> list[str]:
    """The words of a name, without the organisation and what leaves the shape as it is."""
    name = text.strip().rstrip("/").rpartition("/")[2].lower()
    words = [word for word in re.split(r"[-_:\s]+", name) if word]
    return [word for word in words if word not in _IDLE] or words


def same_name(text: str) -> str:
    """What two names of one model have in common."""
    return _key(words_of(text))


def size_in(words: list[str]) -> int:
    """Parameters by the first word that tells of them: `13b`, `350m`, `8x7b`; 0 where none does."""
    for word in words:
        found = re.match(SIZE_WORD, word)
        if found:
            unit = 10**9 if found["unit"] == "b" else 10**6
            number = round(float(found["number"]) * unit) * int(found["experts"] or 1)
            if SMALLEST <= number <= LARGEST:
                return number
    return 0


def nearest_names(text: str, most: int = 3) -> list[str]:
    """The known names that look most like this one, the likest first."""
    word, left, found = "-".join(words_of(text)), {*MODELS, *ALIASES}, list[str]()
    while len(found) < most and (near := nearest(word, sorted(left))):
        found.append(near)
        left.remove(near)
    return found


def typical(name: str, parameters: int) -> Model:
    """A decoder of so many parameters with the shape that most have.

    P = 12 layers x hidden**2 (Kaplan et al., "Scaling laws for neural language models", 2020), with
    hidden = 128 x layers, as of 7 G (32 x 4096) and of 65 G parameters (80 x 8192); heads of 128,
    a quarter of them with keys and values; a vocabulary of 128 Ki.
    """
    layers = max(1, round((parameters / (12 * 128**2)) ** (1 / 3)))
    return Model(
        name=name,
        parameters=parameters,
        layers=layers,
        hidden=128 * layers,
        heads=layers,
        kv_heads=-(-layers // 4),
        head_size=128,
        ffn=448 * layers,
        vocabulary=131072,
        longest=131072,
        guessed=True,
    )


def _key(words: list[str]) -> str:
    return " ".join(part for word in words for part in re.findall(_PARTS, word))


@cache
def _keys() -> dict[str, str]:
    """Names of the tables by their keys, without editions where that is not another model."""
    exact = {same_name(name): name for name in MODELS}
    exact |= {same_name(alias): name for alias, name in ALIASES.items()}
    bare = {
        _key([word for word in words_of(name) if not re.match(_EDITION, word)]): name
        for name in MODELS
    }
    return {**bare, **exact}
