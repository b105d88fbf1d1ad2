"""The variables that tell a run which cards are its own, and how much of them."""

from __future__ import annotations

from typing import Final

from hpcshell.core.records import WHOLE, Claim
from hpcshell.core.units import MIB, format_gpus
from hpcshell.policy.cardwatch import CardWatch

NOTHING: Final = {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
"""For who has asked for no card: none is seen, whatever was set where it was submitted."""


def gpu_variables(claim: Claim, watch: CardWatch) -> dict[str, str]:
    """Cards that are all its own come first, the one that it shares last. They are called by what
    stays theirs, whatever order a program counts cards in, or by number, if that is wanted or
    nobody tells more of them."""
    held = [*((card, WHOLE) for card in claim.gpus), *claim.shared]
    if not held:
        return NOTHING | ({"ROCR_VISIBLE_DEVICES": ""} if _is_amd(watch) else {})
    numbers = ",".join(str(card) for card, _ in held)
    uuids = [watch.cards[card].uuid for card, _ in held if card < len(watch.cards)]
    by_uuid = watch.settings.names == "uuid" and len(uuids) == len(held) and all(uuids)
    names = ",".join(uuids) if by_uuid else numbers
    env = {"HPC_GPUS": numbers, "CUDA_VISIBLE_DEVICES": names, "NVIDIA_VISIBLE_DEVICES": names}
    if not by_uuid:
        env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    if _is_amd(watch):
        env["ROCR_VISIBLE_DEVICES"] = names
    if claim.shared:
        env["HPC_GPU_SHARE"] = format_gpus(claim.shared[-1][1])
    if len(uuids) == len(held) and all(watch.cards[card].memory for card, _ in held):
        env["HPC_GPU_MEM"] = ",".join(str(watch.limit(card, share)) for card, share in held)
    return env | _mps(claim, watch, held)


def _is_amd(watch: CardWatch) -> bool:
    return watch.survey.provider == "amd"


def _mps(claim: Claim, watch: CardWatch, held: list[tuple[int, int]]) -> dict[str, str]:
    """The limits of CUDA MPS for a share, where its daemon runs (CUDA MPS documentation, "Volta MPS
    Execution Resource Provisioning" and "Device Memory Limits")."""
    if not (claim.shared and watch.survey.mps and watch.settings.mps):
        return {}
    card, share = claim.shared[-1]
    limit = watch.limit(card, share) // MIB
    return {
        "CUDA_MPS_PIPE_DIRECTORY": watch.survey.mps,
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(share),
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": f"{len(held) - 1}={limit}M",
    }
