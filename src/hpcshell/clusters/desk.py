"""One cluster behind the verbs of the daemon: the same questions, the same documents.

desk = Desk(cluster)
desk.call("submit", submissions=[spec, ...])
desk.call("show", ids=["12"])
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.clusters import views
from hpcshell.clusters.changing import EDITS, Changing, check_edit, record_wish
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.explaining import explain
from hpcshell.clusters.federation import offer
from hpcshell.clusters.finding import Found, find
from hpcshell.clusters.known import Known
from hpcshell.clusters.lines import Line, documents, lines_of, wanted
from hpcshell.clusters.lookout import Picture, elements_on_record, on_record, picture
from hpcshell.clusters.parents import parents_of
from hpcshell.clusters.results import Ask, results
from hpcshell.clusters.submitting import Submitting, Taken, Wanted, check_spec
from hpcshell.clusters.tending import tend
from hpcshell.core.errors import NotYet, Refused, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.sightings import LIVE
from hpcshell.core.words import signal_number
from hpcshell.machine import clock

PAGE: Final = 1000
LONGEST: Final = 60.0
"""Seconds between two looks of somebody who only waits, at the most."""


class Desk:
    """The verbs of jobs, on one cluster. `pause` waits between looks."""

    def __init__(self, cluster: Cluster, pause: Callable[[float], None] = time.sleep) -> None:
        self.cluster = cluster
        self.pause = pause
        self._changed = 0.0
        self._verbs: dict[str, Callable[..., Any]] = {
            "submit": self.submit,
            "estimate": self.estimate,
            "queue": self.queue,
            "show": self.show,
            "history": self.history,
            "wait": self.wait,
            "outputs": self.outputs,
            "explain": self.explain,
            "rerun": self.rerun,
            "size": self.size,
            "read": self.read,
            "fetch": self.fetch,
            "cancel": self.cancel,
            "edit": self.edit,
            **{
                verb: partial(self.change, verb)
                for verb in ("hold", "release", "requeue", "suspend", "resume")
            },
        }

    def call(self, verb: str, **args: Any) -> Any:
        """Do one thing; raises the `HpcError` that says why not."""
        if verb not in self._verbs:
            raise Refused(
                f"hpc {verb} asks this machine's scheduler; {self.cluster.name} has its own",
                "leave --on out, or use the site's own commands",
            )
        return self._verbs[verb](**args)

    def look(self, *, age: float | None = None) -> Picture:
        """What is known now; what was just changed is looked at anew. What waits here is sent, if
        the site takes it."""
        seen = picture(self.cluster, age=age, since=self._changed)
        if self.cluster.ledger.unsent(self.cluster.name):  # what has ended makes room for it
            tend(self.cluster, self.pause)
            seen = picture(self.cluster, age=age, since=self._changed)
        return seen

    def on_record(self) -> list[dict[str, Any]]:
        """Label and name of what was submitted and has not ended, as far as is known here."""
        return [
            {"label": entry.number or f"w{entry.serial}", "name": entry.name, "state": ""}
            for entry in self.cluster.ledger.open_entries(self.cluster.name)
        ]

    # ----------------------------------------------------------------------------------- submitting

    def submit(self, submissions: Sequence[JobSpec], dry_run: bool = False) -> dict[str, Any]:
        """Hand jobs over, one after the other."""
        return {"jobs": [self._submit(spec, dry_run) for spec in submissions]}

    def _submit(self, spec: JobSpec, dry_run: bool, **wanted: Any) -> dict[str, Any]:
        with contextlib.suppress(NotYet):  # one that does not answer may be submitted to later
            self.cluster.site()
        notes = check_spec(spec, self.cluster)
        submitting = Submitting(self.cluster, self.pause)
        terms, any_one = parents_of(self.cluster, spec.submission.dependency, self.look)
        order = Wanted(spec=spec, parents=terms, any=any_one, **wanted)
        if dry_run:
            script, argv = submitting.script(order)
            return {
                "id": None,
                "name": spec.submission.name,
                "elements": _count(spec),
                "notes": notes,
                "script": script,
                "argv": list(argv),
            }
        taken = submitting.submit(order)
        return _accepted(taken, notes)

    def estimate(self, submission: JobSpec) -> dict[str, Any]:
        """When a job would start, that is not submitted; by the site's word, else by history."""
        check_spec(submission, self.cluster)
        return {"offers": [offer(self.cluster, submission).document()], "chosen": self.cluster.name}

    def submit_chosen(
        self, spec: JobSpec, chosen: str, elsewhere: Mapping[str, JobSpec], movable: bool
    ) -> dict[str, Any]:
        """Hand over a job that was sent here for a reason, and could run elsewhere."""
        return self._submit(spec, False, chosen=chosen, elsewhere=elsewhere, movable=movable)

    def rerun(
        self, ids: Sequence[str], failed: bool | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        """Submit ended jobs again; with `failed` only the elements that did not complete."""
        found = find(self.cluster, self.look(), ids)
        answers = []
        for known in (one.known for one in found):
            if known is None:
                raise Refused("only what was submitted here can be submitted again")
            if not known.over:
                raise Refused(f"job {views.label_of(known)} has not ended", "cancel it first")
            spec = known.entry.spec
            if failed and known.entry.array:
                bad = [i for i, one in known.elements.items() if one.state != "COMPLETED"]
                if not bad:
                    raise Refused(f"all of job {views.label_of(known)} has completed")
                array = str(IndexSet.of(i for i in bad if i is not None))
                spec = replace(spec, submission=replace(spec.submission, array=array))
            label = views.number(views.label_of(known))
            answers.append(self._submit(spec, dry_run) | {"of": label})
        return {"jobs": answers}

    # -------------------------------------------------------------------------------------- looking

    def queue(self, limit: int, offset: int = 0, **filters: Any) -> dict[str, Any]:
        """What has not ended: first what runs, then what waits."""
        seen = self.look()
        lines = sorted(lines_of(self.cluster, seen, filters), key=Line.order)
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(line.counts)
        page = lines[offset : offset + limit] if limit else lines[offset:]
        answer: dict[str, Any] = {
            "rows": [line.document() for line in page],
            "total": len(lines),
            "counts": dict(counts),
        }
        if seen.trouble:
            answer["trouble"] = {
                "cluster": self.cluster.name,
                "message": seen.trouble,
                "since": seen.at or None,
            }
        return answer

    def show(self, ids: Sequence[str], story: bool = False) -> dict[str, Any]:
        """Everything about the jobs named."""
        found = find(self.cluster, self.look(), ids)
        jobs = [view for one in found for view in documents(one, self.cluster.name)]
        for view in jobs if story else ():
            view["story"] = _story(view)
        return {"jobs": jobs}

    def history(
        self,
        limit: int,
        offset: int = 0,
        elements: bool | None = None,
        **filters: Any,
    ) -> dict[str, Any]:
        """What has ended of what was submitted here, the latest first."""
        self.look(age=LONGEST)
        cluster, ledger = self.cluster, self.cluster.ledger
        if not elements and not any(filters.values()):
            page = ledger.ended_entries(cluster.name, limit, offset)
            rows = [views.document(on_record(cluster, entry)) for entry in page]
            return {"rows": rows, "total": ledger.count_ended(cluster.name)}
        rows = []
        for entry in ledger.ended_entries(cluster.name, 0, 0):
            known = on_record(cluster, entry)
            if elements and known.entry.array:
                members = list(views.of_elements(known, known.elements))
            else:
                members = [views.document(known)]
            rows += [row for row in members if wanted(row, filters)]
        return {
            "rows": rows[offset : offset + limit] if limit else rows[offset:],
            "total": len(rows),
        }

    def explain(self, ids: Sequence[str]) -> dict[str, Any]:
        """Why jobs wait, in the site's words, and when it expects to start them."""
        return {"jobs": explain(self.cluster, self.show(ids)["jobs"])}

    def outputs(self, ids: Sequence[str]) -> dict[str, Any]:
        """Where the output of jobs lies, an entry for every element."""
        found = find(self.cluster, self.look(), ids)
        return {
            "outputs": [
                {
                    "id": view["id"],
                    "element": view["element"],
                    "label": view["label"],
                    "state": view["state"],
                    "reason": view["reason"],
                    "run": view["native"] if view["start_time"] else None,
                    "stdout": view["stdout"],
                    "stderr": view["stderr"],
                    "cluster": self.cluster.name,
                }
                for one in found
                for view in documents(one, self.cluster.name, apart=True)
            ]
        }

    def size(self, cluster: str, path: str) -> dict[str, int | None]:
        """The size of a file there; None: there is none."""
        return {"size": self.cluster.link.sizes([path])[path]}

    def read(self, cluster: str, path: str, offset: int, most: int) -> dict[str, bytes]:
        """A piece of a file there."""
        return {"bytes": self.cluster.link.read_from(path, offset, most) or b""}

    def fetch(self, ids: Sequence[str], **asked: Any) -> dict[str, Any]:
        """Bring back what jobs have written, as `results.Ask` says."""
        found = find(self.cluster, self.look(), ids)
        ask = Ask(**asked)
        return {
            "files": [file for one in found for file in results(self.cluster, one, ask, self.pause)]
        }

    def wait(
        self, ids: Sequence[str], any: bool = False, timeout: float | None = None
    ) -> dict[str, Any]:
        """Until all (or one) of the jobs have ended; looks less often the less happens."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        interval, before = self.cluster.settings.poll, ""
        while True:
            found = find(self.cluster, self.look(), ids)
            jobs = [view for one in found for view in documents(one, self.cluster.name)]
            done = [views.end_of(view) for view in jobs if views.is_over(view)]
            pending = [
                {"id": view["id"], "element": view["element"]}
                for view in jobs
                if not views.is_over(view)
            ]
            if not pending or (any and done):
                return {"done": done, "pending": pending, "timed_out": False}
            left = None if deadline is None else deadline - clock.monotonic()
            if left is not None and left <= 0:
                return {"done": done, "pending": pending, "timed_out": True}
            now = str([(view["state"], view["elements"]) for view in jobs])
            interval = self.cluster.settings.poll if now != before else interval * 1.5
            interval, before = min(interval, LONGEST), now
            self.pause(interval if left is None else min(interval, left))

    # ------------------------------------------------------------------------------------- changing

    def cancel(
        self,
        ids: Sequence[str] = (),
        signal: str | None = None,
        dry_run: bool = False,
        **filters: Any,
    ) -> dict[str, Any]:
        """End jobs, or with `signal` only send them one."""
        if signal:
            signal_number(signal)
            say = partial(self.cluster.backend.signal, signal=signal)
            return self._change("signal", ids, say, dry_run, filters)
        return self._change("cancel", ids, self.cluster.backend.cancel, dry_run, filters)

    def change(
        self, verb: str, ids: Sequence[str] = (), dry_run: bool = False, **filters: Any
    ) -> Any:
        """hold, release, requeue, suspend, resume."""
        return self._change(verb, ids, getattr(self.cluster.backend, verb), dry_run, filters)

    def edit(
        self, ids: Sequence[str], changes: dict[str, Any], dry_run: bool = False
    ) -> dict[str, Any]:
        """Change what the site lets be changed."""
        check_edit(self.cluster, changes)
        before = self.show(ids)["jobs"]
        edits = {EDITS[field]: value for field, value in changes.items()}
        say = partial(self.cluster.backend.edit, changes=edits)
        answer = self._change("edit", ids, say, dry_run, {})
        if answer["unchanged"] and not answer["jobs"]:
            raise Refused(answer["unchanged"][0]["why"])
        changed = {
            view["id"]: {field: [view.get(field), new] for field, new in changes.items()}
            for view in before
        }
        return {
            "jobs": [line | {"changed": changed.get(line["id"], {})} for line in answer["jobs"]],
            "unchanged": answer["unchanged"],
        }

    def _change(
        self, verb: str, ids: Sequence[str], say: Any, dry_run: bool, filters: dict[str, Any]
    ) -> dict[str, Any]:
        """What the verb does not fit, by a picture that is not of now, is looked at anew."""
        asked = clock.now()
        answer = self._change_seen(self.look(), verb, ids, say, dry_run, filters)
        if not answer["jobs"] and not all(line["ended"] for line in answer["unchanged"]):
            self._changed = asked
            answer = self._change_seen(self.look(), verb, ids, say, dry_run, filters)
        self._changed = clock.now()
        return answer

    def _change_seen(
        self,
        seen: Picture,
        verb: str,
        ids: Sequence[str],
        say: Any,
        dry_run: bool,
        filters: dict[str, Any],
    ) -> dict[str, Any]:
        found = find(self.cluster, seen, ids) if ids else self._filtered(seen, filters)
        states = {str(state).upper() for state in filters.get("states") or ()}
        if not dry_run and not states:
            found = record_wish(self.cluster, verb, found)
        return Changing(self.cluster, verb, found, states).carry_out(say, dry_run=dry_run)

    def _filtered(self, seen: Picture, filters: dict[str, Any]) -> list[Found]:
        """All live jobs that the filters choose."""
        names, user = filters.get("names"), filters.get("user")
        if not (names or user or filters.get("states") or filters.get("all")):
            raise Wrong("no job was named", "give an id, a name, @ for your last job, or a filter")
        if user and user != self.cluster.user:
            raise Refused(f"{user}'s jobs are not yours to change", "leave --user out")
        found = [Found(known=known) for known in seen.known if not known.over]
        found += [Found(strangers=(one,)) for one in seen.strangers if one.state in LIVE]
        return [one for one in found if not names or _name(one) in names]


def _accepted(taken: Taken, notes: list[str]) -> dict[str, Any]:
    known = just_submitted(taken)
    label = views.label_of(known)
    return {
        "id": views.number(label),
        "name": taken.entry.name,
        "elements": len(known.elements),
        "job": views.document(known, None),
        "start": None,
        "notes": [*notes, *taken.notes],
    }


def just_submitted(taken: Taken) -> Known:
    """What is known of a submission before anybody has looked."""
    elements = elements_on_record(taken.parts, {})
    return Known(entry=taken.entry, parts=taken.parts, elements=elements)


def _count(spec: JobSpec) -> int:
    array = spec.submission.array.partition("%")[0]
    return len(IndexSet.parse(array)) if array else 1


def _name(found: Found) -> str:
    return found.known.entry.name if found.known else found.strangers[0].name


def _story(view: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened to a job as far as the site tells."""
    told = (("submit", "submit_time", "PENDING"), ("start", "start_time", "RUNNING"))
    ends = (("end", "end_time", view["state"]),) if views.is_over(view) else ()
    return [
        {
            "seq": None,
            "time": view[field],
            "job": view["id"],
            "element": view["element"],
            "kind": kind,
            "state": state,
            "cause": view["reason"] if kind == "end" else None,
            "detail": None,
        }
        for kind, field, state in (*told, *ends)
        if view[field]
    ]
