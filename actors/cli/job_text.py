"""Texts about jobs for people: name, status, times, and why a job waits or failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from actors.cli.address import program
from actors.cli.tables import plain, short
from actors.jobs.durations import seconds_between

Document = Mapping[str, Any]
_RELATIVES = 10
_FIRST_NUMBERS = 3
_LONGEST_NAME = 40
_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def name_of(job: Document) -> str:
    """The name of a job, or its command in parentheses: ``(python train.py)``."""
    named = job.get("config_name") or job.get("entry_point")
    if named is None and job.get("command"):
        named = f"({' '.join(job['command'])})"
    return plain(named or short(job["job_id"]))


def jobs_text(number: int) -> str:
    """A number of jobs in words: ``1 job``, ``2 jobs``."""
    return "1 job" if number == 1 else f"{number} jobs"


def name_and_user(job: Document) -> str:
    """The name and the user of a job, as people know it."""
    return f"{name_of(job)} ({plain(job['user_id'])})"


def lasted(seconds: float) -> str:
    """A duration in words: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def seconds_from(earlier: str | None, later: str | None) -> float | None:
    """Seconds between two times of a document; None if one of them is missing."""
    if earlier is None or later is None:
        return None
    return seconds_between(datetime.fromisoformat(earlier), datetime.fromisoformat(later))


def ago(text: str | None) -> str:
    """How long ago a time of a document was."""
    seconds = seconds_from(text, _now())
    return "" if seconds is None else f"{lasted(seconds)} ago"


def clock(text: str | None) -> str:
    """A time of a document by this computer's clock: ``23:30`` today, with the date if it is another day."""
    if text is None:
        return ""
    shown = datetime.fromisoformat(text).astimezone()
    day = "" if shown.date() == datetime.now(UTC).astimezone().date() else f"{shown:%Y-%m-%d} "
    return f"{day}{shown:%H:%M:%S}".removesuffix(":00")


def reason_of(job: Document) -> str:
    """Why a job waits. Times in the reason, which a server writes in UTC, are shown by this computer's clock."""
    reason = str(job.get("reason") or "")
    for key, form in (("start_after", "%Y-%m-%d %H:%M:%S UTC"), ("not_before", "%H:%M:%S UTC")):
        if time := job.get(key):
            reason = reason.replace(f"at {datetime.fromisoformat(time):{form}}", f"at {clock(time)}", 1)
    return reason


def duration(job: Document) -> str:
    """How long a job has run until now, or ran in all."""
    seconds = seconds_from(job.get("started_at"), job.get("completed_at") or _now())
    return "" if seconds is None else lasted(seconds)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def standing(job: Document) -> str:
    """The status of a job in words: ``running, cancel requested 12 s ago``."""
    waits = job["status"] == "pending" and job["queue_status"] in ("blocked", "ready")
    words = [job["queue_status"] if waits else job["status"]]
    if job.get("uncertain"):
        words.append("uncertain")
    if job.get("cancel_requested_at") and not job.get("completed_at"):
        words.append(f"cancel requested {ago(job['cancel_requested_at'])}")
    return ", ".join(words)


def gpus_of(job: Document) -> str:
    """The GPUs of a job: their indexes if they are known, else their number; "" if it needs none."""
    devices = job.get("devices") or []
    if devices and all(name.isdecimal() for name in devices):
        return ",".join(devices)
    number = len(devices) or job["resources"]["gpus"]
    return f"{number} GPU{'' if number == 1 else 's'}" if number else ""


def needs(resources: Document) -> str:
    """What a job needs: ``1 CPU, 2 GPUs, 8 GiB of memory``."""
    counted = [(resources["cpus"], "CPU"), (resources["gpus"], "GPU")]
    words = [f"{number} {name}{'' if number == 1 else 's'}" for number, name in counted if number]
    if memory := resources["memory"]:
        unit, size = next((one for one in _SIZES if memory >= one[1]), ("B", 1))
        words.append(f"{memory / size:.4g} {unit} of memory")
    return ", ".join(words) or "nothing"


def variables(environment: Document) -> str:
    """The names of a job's variables: those set, those inherited, and those that were requested but not set."""
    parts = [("set", environment["set"]), ("inherited", environment["inherited"]), ("not set", environment["not_set"])]
    return "; ".join(f"{words} {plain(' '.join(names))}" for words, names in parts if names)


def measure(values: Document | None, name: str) -> str:
    """One number of a progress or result, such as its accuracy, in four digits."""
    value = (values or {}).get(name)
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def accuracy_and_loss(values: Document | None) -> str:
    """Accuracy and loss, of progress or result."""
    return "  ".join(f"{name} {found}" for name in ("accuracy", "loss") if (found := measure(values, name)))


def progress_text(progress: Document | None) -> str:
    """Steps, accuracy and loss of a progress; where it has none of them, its first numbers; "" where it has none."""
    done = progress or {}
    steps = f"{done['step']}/{done['total']}" if "step" in done and "total" in done else ""
    if found := "  ".join(filter(None, (steps, accuracy_and_loss(done)))):
        return found
    numbers = ((name, measure(done, name)) for name in done)
    shown = (f"{name[:_LONGEST_NAME]} {number}" for name, number in numbers if number)
    return "  ".join(islice(shown, _FIRST_NUMBERS))


def estimate_text(job: Document) -> str:
    """The estimated start and end of a job: ``starts in about 5 min 0 s, ends in 20 min 0 s to 25 min 0 s``."""
    spans = (("starts", job.get("estimated_start")), ("ends", job.get("estimated_end")))
    return ", ".join(f"{what} {span_text(span)}" for what, span in spans if span)


def span_text(span: Document | None) -> str:
    """The time until a span of a document: ``in 20 min 0 s to 25 min 0 s``."""
    if not span:
        return ""
    earliest, latest = (seconds_from(_now(), span[end]) or 0.0 for end in ("earliest", "latest"))
    if latest < 1:
        return "now"
    if latest - earliest <= latest / 10:
        return f"in about {lasted((earliest + latest) / 2)}"
    return f"in {lasted(earliest)} to {lasted(latest)}"


def note(job: Document) -> str:
    """The most useful line about a job: why it waits, its progress, why it failed, or its result."""
    if job.get("reason"):
        return reason_of(job)
    if job.get("uncertain"):
        return f"{job['uncertain']['reason']}; {program()} settle {short(job['job_id'])} ..."
    if job.get("error_message"):
        return str(job["error_message"])
    if job["status"] == "running" and job.get("progress"):
        return "  ".join(part for part in (progress_text(job["progress"]), estimate_text(job)) if part)
    return accuracy_and_loss(job.get("result"))


def how_many(jobs: Sequence[Document]) -> str:
    """The outcome of a submission: ``2 new, 10 already there (1 failed)``."""
    there = [job for job in jobs if not job["created"]]
    failed = sum(job["status"] == "failed" for job in there)
    words = [f"{len(jobs) - len(there)} new"] if len(there) < len(jobs) else []
    if there:
        words.append(f"{len(there)} already there{f' ({failed} failed)' if failed else ''}")
    return ", ".join(words)


def rerun_lines(job: Document) -> list[str]:
    """After which ends, and how often, a job runs again; no line if it does not."""
    asked = job.get("rerun")
    if not asked:
        return []
    ends = ", ".join([*asked["on"], *(f"exit:{code}" for code in asked["exit_codes"])])
    times = "1 time" if asked["times"] == 1 else f"{asked['times']} times"
    return [f"up to {times} after {ends}, {job['reruns']} so far"]


def notification_lines(found: list[Document] | None) -> list[str]:
    """One line for each notification of a job: its target, and whether it was delivered."""
    lines = []
    for one in found or ():
        tries = f" after {one['tries']} tries" if one["tries"] > 1 else ""
        why = f": {one['last_error']}" if one["last_error"] else ""
        lines.append(plain(f"{one['type']} to {one['target']}, {one['state']}{tries}{why}"))
    return lines


def attempt_lines(job: Document) -> list[str]:
    """One line for each attempt at a job, if there was more than one."""
    attempts = job.get("attempts") or []
    return [_attempt_line(one) for one in attempts] if len(attempts) > 1 or job.get("reruns") else []


def _attempt_line(one: Document) -> str:
    words = [str(one["attempt"]), one["status"] or "not handed over"]
    if one["started_at"] and one["completed_at"]:
        words.append(f"ran {duration(one)}")
    if one["devices"]:
        words.append("on " + plain(", ".join(one["devices"])))
    return "  ".join([*words, *([plain(one["error_message"])] if one["error_message"] else [])])


def relative_lines(relatives: Document | None) -> list[str]:
    """One line for each job that a job waits for, or that waits for it: the first ones, and how many more there are."""
    if not relatives:
        return []
    shown = relatives["jobs"][:_RELATIVES]
    lines = [f"{plain(one['name'] or short(one['job_id']))} ({one['status']})" for one in shown]
    more = relatives["number"] - len(lines)
    return [*lines, f"and {more} more"] if more else lines
