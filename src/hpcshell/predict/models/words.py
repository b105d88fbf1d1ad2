"""An estimate in words: each term with the figures that it is made of."""

from __future__ import annotations

from collections.abc import Iterator

from hpcshell.core.units import short_size
from hpcshell.predict.models.fitting import Fit, place_of
from hpcshell.predict.models.formula import (
    BITS,
    RANK,
    STATE,
    Estimate,
    adapter_parameters,
    cache_bytes,
    kept_numbers,
    kept_tokens,
    training_bytes,
    width,
)
from hpcshell.predict.models.shape import Model


def lines(estimate: Estimate, fit: Fit) -> list[str]:
    """The whole arithmetic, a term a line, and what it means on the cards."""
    return [*arithmetic(estimate), f"{'that is':<12}{place_of(fit)}"]


def arithmetic(estimate: Estimate) -> list[str]:
    """A line for each term, then the sum, and what earlier runs make of it."""
    return [
        *(f"{name:<12}{how} = {short_size(size)}" for name, how, size in terms(estimate)),
        f"{'together':<12}{short_size(estimate.computed)}",
        *_measured(estimate),
    ]


def sentence(estimate: Estimate, fit: Fit) -> str:
    """All of it in short: `qwen2.5-7b (infer, bf16, 4,096 tokens x 1) needs 15.9G: ...`."""
    parts = ", ".join(f"{name} {short_size(size)}" for name, _, size in terms(estimate))
    told = f"{parts}; {runs_told(estimate)}" if estimate.runs else parts
    return f"{asked(estimate)} needs {short_size(estimate.needed)} ({told}): {place_of(fit)}"


def asked(estimate: Estimate) -> str:
    """`qwen2.5-7b (infer, bf16, 4,096 tokens x 1)`."""
    how = f"{estimate.mode}, {estimate.dtype}, {estimate.ctx:,} tokens x {estimate.batch:,}"
    return f"{estimate.model.name} ({how})"


def runs_told(estimate: Estimate) -> str:
    """On how many earlier runs it rests."""
    runs = f"{estimate.runs} earlier run{'' if estimate.runs == 1 else 's'}"
    return f"{short_size(estimate.needed)} by what {runs} used"


def terms(estimate: Estimate) -> Iterator[tuple[str, str, int]]:
    """Name, arithmetic and bytes of each term that is something."""
    every = (
        ("weights", _weights(estimate), estimate.weights),
        ("state", _state(estimate), estimate.state),
        ("adapters", _adapters(estimate), estimate.adapters),
        ("KV cache", _cache(estimate), estimate.cache),
        ("activations", _activations(estimate), estimate.activations),
        ("CUDA", "context and workspaces of each card", estimate.overhead),
    )
    return (term for term in every if term[2])


def giga(parameters: int) -> str:
    """`7.62 G`, `350 M`."""
    number, unit = (parameters / 1e9, "G") if parameters >= 1e9 else (parameters / 1e6, "M")
    return f"{number:.3g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"


def _weights(estimate: Estimate) -> str:
    model, bits = estimate.model, BITS[estimate.dtype]
    if bits >= 16:
        return f"{giga(model.parameters)} parameters x {bits / 8:g} bytes ({estimate.dtype})"
    rest = giga(model.parameters - model.embeddings)
    words = f" + {giga(model.embeddings)} of words x 2 bytes" if model.embeddings else ""
    each = f"{bits / 8:g} byte{'' if bits == 8 else 's'}"
    return f"{rest} parameters x {each} ({estimate.dtype}){words}"


def _state(estimate: Estimate) -> str:
    kept = STATE - BITS[estimate.dtype] / 8
    return f"{giga(estimate.model.parameters)} parameters x {kept:g} bytes (gradients, Adam)"


def _adapters(estimate: Estimate) -> str:
    number = giga(adapter_parameters(estimate.model))
    return f"{number} parameters (rank {RANK}) x {STATE} bytes (with gradients, Adam)"


def _cache(estimate: Estimate) -> str:
    model = estimate.model
    wide = width(estimate.dtype)
    if model.window:
        kept = f"{kept_tokens(model, estimate.ctx):,} tokens of all layers"
    else:
        kept = f"{model.layers} layers x {estimate.ctx:,} tokens"
    return f"{_numbers(model)} x {kept} x {estimate.batch:,} x {wide} bytes"


def _numbers(model: Model) -> str:
    return (
        f"{kept_numbers(model)} numbers"
        if model.latent
        else f"2 x {model.kv_heads} heads x {model.head_size}"
    )


def _activations(estimate: Estimate) -> str:
    model, wide = estimate.model, width(estimate.dtype)
    tokens = f"{estimate.ctx:,} tokens x {estimate.batch:,}"
    image = f" + {estimate.batch:,} x {short_size(model.image)} of image" if model.image else ""
    if estimate.mode == "infer":
        words = f" + {_words(model, 4)} x {estimate.batch:,}" if model.vocabulary else ""
        return f"{tokens} x {model.hidden:,} x {17 * wide} bytes{words}{image}"
    shape = (model, estimate.ctx, estimate.batch, wide)
    if training_bytes(*shape) < estimate.activations:
        cache = short_size(cache_bytes(*shape))
        return f"{cache} of KV cache and a layer, when it is evaluated"
    words = f" + {tokens} x {_words(model, 8)}" if model.vocabulary else ""
    layers = f"{model.layers} layers x {wide} + {17 * wide}"
    return f"{tokens} x {model.hidden:,} x ({layers}) bytes{words}{image}"


def _words(model: Model, each: int) -> str:
    return f"{model.vocabulary:,} words x {each} bytes"


def _measured(estimate: Estimate) -> list[str]:
    return [f"{'measured':<12}{runs_told(estimate)}"] if estimate.runs else []
