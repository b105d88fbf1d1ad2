"""What a machine file sets apart, on the clock of the log; and what it may not."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Request
from hpcshell.policy.reserve import Reservation
from hpcshell.sim.bookings import reservations_of
from hpcshell.sim.machines import Layout, machine_of

COURSE = b"""
[[reservation]]
name = "course"
start = "1h"
duration = "2h"
cpus = 4
users = ["ann"]
flex = true
idle = "10m"

[[reservation]]
start = 240
end = "5h"
all = true
maintenance = true
"""


def apart(text: bytes, cpus: int = 16, layout: Layout | None = None) -> tuple[Reservation, ...]:
    return reservations_of(machine_of("m.toml", text), cpus, layout)


def test_reservations_are_read_in_the_words_of_the_daemon() -> None:
    course, second = apart(COURSE)
    assert course == Reservation(
        name="course",
        start=3600.0,
        end=10800.0,
        request=Request(cpus=4),
        users=("ann",),
        flex=True,
        idle=600.0,
    )
    assert (second.name, second.start, second.end) == ("reservation2", 14400.0, 18000.0)
    assert second.request == Request(cpus=16)


def test_on_nodes_it_is_of_any_nodes_or_of_each_of_some() -> None:
    machine = machine_of("m.toml", b"[[node]]\ncount = 4\ncpus = 4\n").machine
    layout = Layout(machine.nodes(), "pack")
    text = b'[[reservation]]\nstart = 0\nduration = "1h"\ncpus = 2\nnodes = 3\nusers = ["a"]\n'
    [one] = apart(text, layout=layout)
    assert one.request == Request(cpus=2, nodes=3)
    [one] = apart(text.replace(b"nodes = 3\n", b""), layout=layout)
    assert one.request == Request(cpus=2, nodes=0)
    [one] = apart(text)
    assert one.request == Request(cpus=6)


MAINT = '[[reservation]]\nmaintenance = true\nstart = "1h"\n'
OTHER = '[[reservation]]\nusers = ["a"]\ncpus = 9\nstart = "90m"\nend = "3h"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[reservation]]\ncpus = 1\n", "line 1: reservation[0].start: is not said"),
        ("[[reservation]]\nstart = 0\ncpu = 1\n", "line 3: reservation[0].cpu: there is no such"),
        (
            "[[reservation]]\nstart = 0\nduration = '1h'\n",
            "reservation[0]: whom is it for?",
        ),
        (MAINT + "users = ['a']\nend = '2h'\n", "reservation[0]: maintenance is for nobody"),
        (MAINT + "all = true\n", "reservation[0]: says neither end nor duration"),
        (MAINT + "all = true\nend = '2h'\nduration = '1h'\n", "says both end and duration"),
        (MAINT + "all = true\nend = '1h'\n", "reservation[0]: it ends before it starts"),
        (MAINT + "all = true\nend = 'soon'\n", "line 5: reservation[0].end: 'soon' is no duration"),
        (MAINT + "end = '2h'\n", "reservation[0]: how much does it set apart?"),
        (MAINT + "end = '2h'\nall = true\ncpus = 1\n", "reservation[0]: how much does it set"),
        (MAINT + "end = '2h'\ncpus = 17\n", "it sets apart 17 cpus; this machine has 16 cpus"),
        (MAINT + "end = '2h'\ncpus = 8\n" + OTHER, "line 6: reservation[1]: reservation reserva"),
        ((MAINT + "end = '2h'\ncpus = 1\nname='a'\n") * 2, "reservation[1]: there is another a"),
        (MAINT + "end = '2h'\ncpus = 0\n", "line 5: reservation[0].cpus: expected `int` >= 1"),
        (MAINT + "end = true\n", "line 4: reservation[0].end: expected"),
    ],
)
def test_what_cannot_be_set_apart_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Wrong) as refused:
        apart(text.encode())
    assert refused.value.message.startswith("m.toml line ")
    assert said in refused.value.message
    assert refused.value.hint
