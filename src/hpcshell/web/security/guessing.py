"""Who tries tokens that nobody has: how many different ones a peer has sent within a minute.

The same wrong token again counts no more: a client that is set up wrongly is told so each time.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import Final

WITHIN: Final = 60.0
"""Seconds for which a guess counts."""
PEERS: Final = 10_000
"""Peers whose guesses are remembered."""
_DIGEST: Final = 16


class Guesses:
    """Different words of each peer, so many of which are answered in a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: OrderedDict[str, OrderedDict[bytes, float]] = OrderedDict()

    def take(self, peer: str, word: str) -> float:
        """Count one more. 0, or the seconds after which another one would be answered."""
        now = time.monotonic()
        guesses = self._of.pop(peer, None) or OrderedDict()
        self._of[peer] = guesses
        if len(self._of) > PEERS:
            self._of.popitem(last=False)
        while guesses and now - next(iter(guesses.values())) >= WITHIN:
            guesses.popitem(last=False)
        digest = hashlib.blake2b(word.encode(), digest_size=_DIGEST).digest()
        if digest not in guesses and len(guesses) >= self._most:
            return WITHIN - (now - next(iter(guesses.values())))
        guesses[digest] = now
        guesses.move_to_end(digest)
        return 0.0
