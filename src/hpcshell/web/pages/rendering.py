"""Pages of templates. Each knows who is asking, and the word for forms where a session asks."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from hpcshell.web.security import sessions
from hpcshell.web.security.callers import CALLER, Caller
from hpcshell.web.security.heads import head_in


@cache
def _environment() -> Environment:
    loader = PackageLoader("hpcshell.web.pages")
    made = Environment(
        loader=loader, autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True
    )
    made.filters["sentence"] = _sentence
    return made


def _sentence(words: str) -> str:
    """What an error says, as it stands among other sentences."""
    return f"{words[:1].upper()}{words[1:]}."


def rendered(scope: Any, name: str, **words: Any) -> str:
    """The HTML of a template for whoever sent the request of this scope."""
    caller, csrf = scope.get(CALLER), ""
    if isinstance(caller, Caller) and caller.how == "session":
        head = head_in(scope)
        csrf = sessions.csrf_of(sessions.cookies_of(head)[sessions.name_of(head)])
    user = caller.user if isinstance(caller, Caller) else ""
    return _environment().get_template(name).render(user=user, csrf=csrf, **words)
