"""The pages of docs/reference that are tables of the core's own: job options, configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hpcshell.core.options.row import Dialect, Option
from hpcshell.core.options.table import OPTIONS
from hpcshell.core.settings import NAMED, RECORDS, SECTIONS, SHIPPED_PROFILES, Key, keys
from hpcshell.core.units import format_duration, format_size
from hpcshell.policy.codes import REASONS

DIRECTIVES: dict[Dialect, str] = {"hpc": "#HPC", "sbatch": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB"}

OPTIONS_PAGE = """\
# Job options

What `hpc submit` and `hpc run` take, also as lines at the head of a script (`#HPC --cpus 4`), as
keywords of `hpcshell.submit(cpus=4)` and as keys of a profile. The other columns are how the same
is said in directives of other schedulers. The command line wins over the script, the script over
the profile, the profile over the configuration's defaults."""

CONFIGURATION_PAGE = """\
# Configuration

A TOML file: `config/hpcshell.toml` below `$HPCSHELL_HOME`, without it
`~/.config/hpcshell/hpcshell.toml`; a project's own `hpcshell.toml` may set what is harmless there.
Each key can be given in the environment, too: `resources.cpus` is `HPC_RESOURCES__CPUS`.
`hpc config show --origin` tells which value holds, and why."""

REASONS_PAGE = """\
# Why a job waits

Every waiting job has a reason: a word of this list, and a sentence with its figures. `hpc queue`
shows the sentence, `hpc explain ID` all of them and the promised start where there is one; the word
is in what they say with `--json`."""

CLUSTERS = """\
## On a cluster

There the word is the one that the site's scheduler says, if it says any (`JobHeldUser`,
`QOSMaxJobsPerUserLimit`, ...), and the sentence tells what it means where that is known. These are
of our own:"""

AT_CLUSTERS: Final = {
    "NotSentYet": "it waits here until the site takes it: a limit, a site that does not answer, "
    "or what was submitted before it; its id is `w7`",
    "Sending": "it was sent, and no answer came; its state is UNKNOWN, and it is looked for",
    "JustSubmitted": "the site took it, and has not been asked about its jobs since",
    "Moving": "it is being moved to another cluster, and its end where it was is waited for",
}


def code(text: str) -> str:
    """Text as code within a table."""
    return "`" + text.replace("|", "\\|") + "`"


def prose(text: str) -> str:
    """A sentence within a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def options_page() -> str:
    """Each row of the option table, in the groups of the help."""
    panels: dict[str, list[Option]] = {}
    for option in OPTIONS:
        if not option.hidden:
            panels.setdefault(option.panel, []).append(option)
    sections = [
        "\n".join((f"## {panel}", "", *option_table(options))) for panel, options in panels.items()
    ]
    return "\n\n".join((OPTIONS_PAGE, *sections))


def option_table(options: list[Option]) -> list[str]:
    """The lines of one group's table."""
    heads = [code(word) for word in DIRECTIVES.values()] + [code("#$")]
    lines = [f"| {' | '.join(('keyword', *heads))} | |", "|---" * (len(heads) + 2) + "|"]
    for option in options:
        spellings = [option.spellings(dialect) for dialect in (*DIRECTIVES, "sge")]
        cells = [" ".join(code(word) for word in words) for words in spellings]
        cells[0] += f" {code(option.metavar)}" if option.metavar else ""
        lines.append(f"| {' | '.join((code(option.name), *cells))} | {prose(option.help)} |")
    return lines


def configuration_page() -> str:
    """Each key, section by section, then the profiles that are shipped."""
    sections: dict[str, list[Key]] = {}
    for key in keys():
        sections.setdefault(key.name.rpartition(".")[0], []).append(key)
    parts = [CONFIGURATION_PAGE]
    for name, section in sections.items():
        documented = SECTIONS.get(name) or RECORDS.get(name.partition(".")[0])
        about = ((documented and documented.__doc__) or "").partition("]: ")[2]
        about = " ".join(about.split())
        parts.append(f"## [{name.removesuffix('.OPTION')}]")
        parts.append(about[:1].upper() + about[1:])
        rows = [key_row(key) for key in section]
        parts.append("\n".join(("| key | default | |", "|---|---|---|", *rows)))
    named = ", ".join(f"`[{name}.NAME]`" for name in NAMED)
    parts.append(f"{named} are given once for each name. These profiles are shipped:")
    profiles = [
        f"| {code(name)} | {', '.join(f'{key} {value}' for key, value in wants.items())} |"
        for name, wants in SHIPPED_PROFILES.items()
    ]
    parts.append("\n".join(("| profile | |", "|---|---|", *profiles)))
    return "\n\n".join(part for part in parts if part)


def reasons_page() -> str:
    """The words for why something waits."""
    return "\n".join((REASONS_PAGE, "", *_words(REASONS), "", CLUSTERS, "", *_words(AT_CLUSTERS)))


def _words(meanings: Mapping[str, str]) -> list[str]:
    rows = (f"| {code(word)} | {prose(meaning)} |" for word, meaning in meanings.items())
    return ["| reason | |", "|---|---|", *rows]


def key_row(key: Key) -> str:
    """One key: its name, its default as it would be written, its meaning."""
    about = prose(key.doc)
    if key.choices:
        about += ": " + ", ".join(code(choice) for choice in key.choices)
    return f"| {code(key.name.rpartition('.')[2])} | {written(key)} | {about} |"


def written(key: Key) -> str:
    """The default as a person writes it, empty where there is none."""
    default: Any = key.default
    match key.kind, default:
        case "limit", None if key.name.startswith(("defaults.", "daemon.")):
            return code("unlimited")
        case _, None | "" | {} | ():
            return ""
        case "number", int() | float():
            return code(f"{default:g}")
        case "size", int():
            return code(format_size(default)) if default else code("0")
        case (("duration" | "limit"), int() | float()):
            return code(f"{default:g}s" if default < 1 else format_duration(default))
        case "switch", bool():
            return code(str(default).lower())
        case _, list() | tuple():
            return code(" ".join(map(str, default)))
    return code(str(default))
