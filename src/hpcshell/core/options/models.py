"""The rows of the option table about the model that a job runs, for its GPUs to follow from."""

from __future__ import annotations

from typing import Final

from hpcshell.core.options.row import RESOURCES, Option

MODEL_ROWS: Final = (
    Option(
        name="model",
        kind="model",
        help="The model it runs, as qwen2.5-7b-instruct: its GPUs follow from that, where none are "
        "asked for.",
        panel=RESOURCES,
        metavar="NAME",
        hpc=("--model",),
        project=True,
    ),
    Option(
        name="mode",
        kind="mode",
        help="What is done with the model: infer, lora (train adapters), full (train all of it).",
        panel=RESOURCES,
        metavar="infer|lora|full",
        hpc=("--mode",),
        project=True,
    ),
    Option(
        name="dtype",
        kind="dtype",
        help="Type of the model's weights: fp32, bf16, fp16, fp8, int8, int4 or nf4; else as it is "
        "published.",
        panel=RESOURCES,
        metavar="TYPE",
        hpc=("--dtype",),
        project=True,
    ),
    Option(
        name="ctx",
        kind="context",
        help="Tokens of context, or of a text to train on; else 4096, or as many as the model "
        "takes.",
        panel=RESOURCES,
        metavar="N",
        hpc=("--ctx",),
        project=True,
    ),
    Option(
        name="batch",
        kind="batch",
        help="Texts (or images) that the model works on at once; else one.",
        panel=RESOURCES,
        metavar="N",
        hpc=("--batch",),
        project=True,
    ),
)
