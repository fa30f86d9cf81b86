"""The state of a copy of RAVDESS as tables and lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ravdess_mm.corpus.discovery import TABLE_OF_A_CLIP, Rejection
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.corpus.splits import format_actors
from ravdess_mm.corpus.verification import ClipCounts, ReleasePart, VerifyResult, part_label, part_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_LISTED: Final = 10  # lines of one kind before "and n more"


def render_result(result: VerifyResult, console: Console) -> None:
    """Print counts by part, emotion and actor, then what is missing, broken, double and foreign, then the verdict."""
    absent = result.absent_parts
    present_parts = [part for part in result.tally(part_of) if part not in absent]
    console.print(_part_table(result))
    if present_parts:
        console.print(_matrix(result, "emotion", present_parts))
        console.print(_matrix(result, "actor", present_parts))
    lines = _missing_lines(result, present_parts)
    lines += _rejection_lines("broken", result.broken, limit=None)
    lines += _rejection_lines("duplicate", result.duplicates, limit=_LISTED)
    tables = [item for item in result.foreign if item.reason == TABLE_OF_A_CLIP]
    others = [item for item in result.foreign if item.reason != TABLE_OF_A_CLIP]
    lines += _rejection_lines("not a clip", others, limit=_LISTED)
    if tables:
        actors = format_actors(Identifier.parse(item.clip).actor for item in tables)
        lines.append(f"tables named as clips, such as of their action units: {len(tables)}, of actors {actors}")
    shared = [" and ".join(names) for names in result.same_bytes]
    if shared:
        lines.append(f"same bytes under different names: {_listed(shared, separator='; ')}")
    if result.beyond_release:
        lines.append(f"not in the release: {_listed(list(map(str, result.beyond_release)))}")
    for line in [*lines, _verdict(result)]:
        # paths may hold square brackets, which are no markup, and are never cut
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _part_table(result: VerifyResult) -> Table:
    table = _table("", "found", "missing", "broken", "full release")
    tallies = result.tally(part_of)
    for part, tally in tallies.items():
        table.add_row(part_label(part), *_numbers(tally), style="" if tally.found else "dim")
    table.add_section()
    table.add_row("all", *_numbers(result.tally(lambda clip: "all")["all"]))
    return table


def _matrix(result: VerifyResult, field: str, parts: Sequence[ReleasePart]) -> Table:
    """Lay out found clips by a field (down) and by the parts that are there (across)."""
    table = _table(field, *map(part_label, parts))
    tallies = result.tally(lambda clip: (_label(clip, field), part_of(clip)))
    for label in dict.fromkeys(label for label, _ in tallies):
        table.add_row(label, *(_cell(tallies.get((label, part))) for part in parts))
    return table


def _label(clip: Identifier, field: str) -> str:
    return clip.emotion.label if field == "emotion" else f"{clip.actor:02d} {clip.sex.value}"


def _cell(tally: ClipCounts | None) -> str:
    if tally is None:  # such as a song of disgust
        return "-"
    style = "green" if tally.found == tally.expected else "yellow" if tally.found else "red"
    return f"[{style}]{tally.found}/{tally.expected}[/]"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _numbers(tally: ClipCounts) -> tuple[str, ...]:
    return str(tally.found), str(tally.missing), str(tally.broken), str(tally.expected)


def _missing_lines(result: VerifyResult, present_parts: Iterable[ReleasePart]) -> list[str]:
    """Say what is missing, the larger the unit the better: a part, an actor, a clip."""
    expected = result.tally(lambda clip: (part_of(clip), clip.actor))
    lines = [f"missing: all of {part_label(part)}" for part in result.absent_parts]
    for part in present_parts:
        clips = [clip for clip in result.missing if part_of(clip) == part]
        missing_by_actor = {actor: tally.missing for (of, actor), tally in expected.items() if of == part}
        whole = [a for a, n in missing_by_actor.items() if n == expected[part, a].expected]
        single = [str(clip) for clip in clips if clip.actor not in whole]
        if whole:
            n_clips = len(clips) - len(single)
            lines.append(f"missing: {part_label(part)} of actors {format_actors(whole)} ({n_clips} clips)")
        if single:
            lines.append(f"missing: {len(single)}{' more' if whole else ''} of {part_label(part)}: {_listed(single)}")
    return lines


def _rejection_lines(kind: str, rejections: Sequence[Rejection], *, limit: int | None) -> list[str]:
    lines = [f"{kind}: {item.path}: {item.reason.removeprefix('duplicate ')}" for item in rejections[:limit]]
    n_more = len(rejections) - len(lines)
    return [*lines, f"{kind}: and {n_more} more (--json lists all)"] if n_more else lines


def _listed(names: Sequence[str], *, separator: str = " ") -> str:
    more = f" and {len(names) - _LISTED} more (--json lists all)" if len(names) > _LISTED else ""
    return separator.join(names[:_LISTED]) + more


def _verdict(result: VerifyResult) -> str:
    total = result.tally(lambda clip: "all")["all"]
    counted = f"{total.found} of {total.expected} clips of the full release"
    n_broken = len(result.broken)
    state = f"{n_broken} file{'s are' if n_broken > 1 else ' is'} broken" if n_broken else "nothing is broken"
    looked = "every file was decoded to its end" if result.deep else "headers were read; --deep decodes every file"
    return f"{counted}; {state} ({looked})"
