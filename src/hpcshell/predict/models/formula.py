"""The memory of GPUs that a model needs, term by term.

    weights      parameters x bytes of the type. Of quantised models the matrices that read and
                 make words stay in 16 bits, and every group of weights has its scale: 8.125 bits in
                 all for int8, 4.25 for int4 (a scale and a zero of 16 bits for 128 weights, as GPTQ
                 and AWQ have them), 4.5 for nf4 (a scale of 32 bits for 64: Dettmers et al.,
                 "QLoRA", 2023, section 3).
    KV cache     2 x layers x heads with keys and values x size of a head x context x batch x bytes
                 (Pope et al., "Efficiently scaling transformer inference", 2022; Chen,
                 "Transformer inference arithmetic", kipply.com 2022), in 16 bits, or 32 with fp32.
                 Layers with a window keep no more than that; multi-head latent attention
                 keeps its latent numbers alone (DeepSeek-AI, "DeepSeek-V2", 2024).
    activations  34 x context x batch x hidden bytes for a layer at 16 bits (Korthikanti et al.,
                 "Reducing activation recomputation in large transformer models", 2022, equation 2,
                 without the scores of attention, which kernels such as FlashAttention do not keep;
                 Dao et al., 2022). Inference has one layer at a time, training with checkpoints
                 one layer and the 2 x context x batch x hidden bytes that go into each. For each
                 word that may come next 4 bytes, in training for every token, and as much
                 for the gradient.
    full         16 bytes for each parameter: weights and gradients (2 + 2), and for Adam a copy in
                 32 bits and two moments (4 + 4 + 4); in fp32 4 + 4 and 4 + 4 (Rajbhandari et al.,
                 "ZeRO", 2020, section 3.1).
    lora         the weights as they are, and 16 bytes for each parameter of adapters (weights,
                 gradients, two moments in 32 bits) of rank 16 at every matrix of attention and
                 feed-forward parts (Hu et al., "LoRA", 2021; everywhere, as QLoRA found best);
                 of a mixture of experts at attention alone.
    CUDA         1 GiB on every card: context, kernels, workspaces of cuBLAS, NCCL and the like.

Training runs without a cache, but is evaluated between its steps: what it holds beside its state is
the larger of what a step and what inference would hold.
"""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.models import LARGEST_BATCH, LONGEST_CONTEXT, check_dtype, check_mode
from hpcshell.core.records import Record
from hpcshell.predict.models.shape import Model

BITS: Final[dict[str, float]] = {
    "fp32": 32,
    "bf16": 16,
    "fp16": 16,
    "fp8": 8,
    "int8": 8.125,
    "int4": 4.25,
    "nf4": 4.5,
}
"""Bits of a weight, its part of the scales included."""
TRAINED: Final = ("bf16", "fp16", "fp32")
"""Types whose weights can be trained."""

OVERHEAD: Final = 1 << 30
RANK: Final = 16
STATE: Final = 16
"""Bytes that training keeps of each parameter that it changes, the parameter itself included."""
USUAL_CONTEXT: Final = 4096


class Estimate(Record, frozen=True, kw_only=True):
    """What a model needs, in bytes: each term over all cards, `overhead` on every one of them.

    `state` are gradients and what Adam keeps, `adapters` those of LoRA with theirs. `measured`:
    what earlier runs make of the sum (0: nothing is known of any); it rests on so many `runs`.
    """

    model: Model
    mode: str
    dtype: str
    ctx: int
    batch: int
    weights: int
    state: int
    adapters: int
    cache: int
    activations: int
    overhead: int = OVERHEAD
    measured: int = 0
    runs: int = 0

    @property
    def computed(self) -> int:
        """The sum by the formula, on one card."""
        spread = self.weights + self.state + self.adapters + self.cache + self.activations
        return spread + self.overhead

    @property
    def needed(self) -> int:
        """What is to be asked for, on one card."""
        return self.measured or self.computed

    @property
    def spread(self) -> int:
        """The part of it that several cards share among them."""
        return self.needed - self.overhead


def estimate(
    model: Model, mode: str = "infer", dtype: str = "", *, ctx: int = 0, batch: int = 0
) -> Estimate:
    """By the formula above; "" and 0: as the model is published, at most 4,096 tokens, one text.

    Raises `Wrong` for what cannot be.
    """
    mode = check_mode(mode)
    dtype = type_of(model, mode, dtype)
    ctx = _within(ctx, LONGEST_CONTEXT, "--ctx") or min(USUAL_CONTEXT, model.longest)
    batch = _within(batch, LARGEST_BATCH, "--batch") or 1
    wide = width(dtype)
    cache = cache_bytes(model, ctx, batch, wide)
    activations = inference_bytes(model, ctx, batch, wide)
    if mode != "infer":
        training = training_bytes(model, ctx, batch, wide)
        cache, activations = 0, max(cache + activations, training)
    weights = weight_bytes(model, dtype)
    return Estimate(
        model=model,
        mode=mode,
        dtype=dtype,
        ctx=ctx,
        batch=batch,
        weights=weights,
        state=model.parameters * STATE - weights if mode == "full" else 0,
        adapters=adapter_parameters(model) * STATE if mode == "lora" else 0,
        cache=cache,
        activations=activations,
    )


# ---------------------------------------------------------------------------------------- terms


def width(dtype: str) -> int:
    """Bytes of a number that is reckoned with, whatever the weights are kept in."""
    return 4 if dtype == "fp32" else 2


def weight_bytes(model: Model, dtype: str) -> int:
    """Of all weights; of quantised ones the words' matrices in 16 bits."""
    whole = 0 if BITS[dtype] >= 16 else model.embeddings
    return round((model.parameters - whole) * BITS[dtype] / 8) + whole * 2


def cache_bytes(model: Model, ctx: int, batch: int, wide: int) -> int:
    """Keys and values of all tokens, at `wide` bytes a number."""
    return kept_tokens(model, ctx) * kept_numbers(model) * batch * wide


def kept_tokens(model: Model, ctx: int) -> int:
    """Tokens that the layers keep, added up."""
    windowed = model.layers - model.full if model.window else 0
    return (model.layers - windowed) * ctx + windowed * min(ctx, model.window)


def kept_numbers(model: Model) -> int:
    """Numbers that one layer keeps of a token."""
    return model.latent or 2 * model.kv_heads * model.head_size


def adapter_parameters(model: Model, rank: int = RANK) -> int:
    """Of LoRA: (inputs + outputs) x rank for each matrix; three feed-forward ones, as most have."""
    queries, values = model.heads * model.head_size, model.kv_heads * model.head_size
    attention = 2 * (model.hidden + queries) + 2 * (model.hidden + (values or queries))
    forward = 3 * (model.hidden + model.ffn) if model.ffn else 0
    return rank * model.layers * (attention + forward)


def inference_bytes(model: Model, ctx: int, batch: int, wide: int) -> int:
    """Activations of inference, without the cache."""
    words = model.vocabulary * 4 * batch
    return layer_bytes(model, ctx, batch, wide) + words + model.image * batch


def training_bytes(model: Model, ctx: int, batch: int, wide: int) -> int:
    """Activations of a step of training."""
    into_layers = model.layers * model.hidden * ctx * batch * wide
    words = model.vocabulary * 8 * ctx * batch
    return layer_bytes(model, ctx, batch, wide) + into_layers + words + model.image * batch


def layer_bytes(model: Model, ctx: int, batch: int, wide: int) -> int:
    """Activations of one layer."""
    return 17 * wide * model.hidden * ctx * batch


# --------------------------------------------------------------------------------------- asking


def type_of(model: Model, mode: str, dtype: str) -> str:
    """The type of the weights that is meant; training needs one that can be trained."""
    if not dtype:
        return "bf16" if mode == "full" and model.dtype not in TRAINED else model.dtype
    word = check_dtype(dtype)
    if mode == "full" and word not in TRAINED:
        raise Wrong(
            f"--dtype: weights in {word} cannot be trained",
            f"write --mode lora to train adapters on them, or one of {', '.join(TRAINED)}",
        )
    return word


def _within(number: int, most: int, origin: str) -> int:
    if not 0 <= number <= most:
        raise Wrong(f"{origin}: {number:,} is out of range", f"write a number from 1 to {most:,}")
    return number
