"""Cards that are asked for and that the machine has not: which, and what it has instead."""

from __future__ import annotations

from collections import Counter

from hpcshell.core.errors import Wrong
from hpcshell.core.gpus import is_model
from hpcshell.core.records import Request
from hpcshell.core.units import format_gpus, format_size
from hpcshell.core.words import nearest, quote
from hpcshell.policy.cards import allowed, kinds, memory_of
from hpcshell.policy.place.nodes import Node


def check_cards(request: Request, node: Node) -> None:
    """Raise `Wrong` where no cards of the machine will ever do for the request."""
    _check_numbers(request, node)
    _check_type(request, node)
    _check_memory(request, node)
    if request.gpu_hundredths and not kinds(request, node):
        there = allowed(request, node)
        asked = format_gpus(request.gpu_hundredths)
        raise Wrong(
            f"asks for {asked} gpus{_of_type(request)}{_among(request)}; there are {len(there)}",
            f"ask for at most {len(there)}, or allow more cards",
        )


def _check_numbers(request: Request, node: Node) -> None:
    beyond = [card for card in request.gpus_allowed if card >= len(node.gpus)]
    if beyond:
        last = len(node.gpus) - 1
        hint = f"they are numbered 0 to {last}" if last >= 0 else "this machine has no gpus"
        raise Wrong(f"--gpus-allowed names card {beyond[0]}, and there is none", hint)
    if request.gpus_allowed and not request.gpu_hundredths and not request.gpu_mem:
        raise Wrong("--gpus-allowed names cards, and none is asked for", "add --gpus N")


def _check_type(request: Request, node: Node) -> None:
    wanted = request.gpu_type
    if not wanted or any(is_model(model, wanted) for model in node.gpus):
        return
    there = Counter(node.gpus)
    if not there:
        raise Wrong(f"asks for gpus of type {quote(wanted)}; this machine has none", NO_GPUS)
    words = {word: model for model in there for word in model.lower().replace("-", " ").split()}
    near = nearest(wanted.lower(), list(words))
    hint = f"did you mean {near}? " if near else ""
    have = ", ".join(f"{model} ({count})" for model, count in sorted(there.items()))
    raise Wrong(f"asks for gpus of type {quote(wanted)}; there is none", f"{hint}there are: {have}")


NO_GPUS = "see what it has: hpc gpu status"


def _check_memory(request: Request, node: Node) -> None:
    if not request.gpu_mem:
        return
    sizes = [memory_of(node, card) for card in allowed(request, node)]
    if not any(sizes):
        raise Wrong(
            "--gpu-mem: how much memory the cards of this machine have is not known",
            "ask for a share instead: --gpus 0.5",
        )
    if request.gpu_mem > max(sizes):
        largest = format_size(max(sizes) >> 20 << 20)
        raise Wrong(
            f"asks for {format_size(request.gpu_mem)} of memory of one gpu; the largest"
            f"{_of_type(request)}{_among(request)} has {largest}",
            f"ask for at most --gpu-mem={largest}, or for several whole cards: --gpus 2",
        )


def _of_type(request: Request) -> str:
    return f" of type {request.gpu_type}" if request.gpu_type else ""


def _among(request: Request) -> str:
    cards = ", ".join(map(str, request.gpus_allowed))
    return f" among the cards {cards}" if cards else ""
