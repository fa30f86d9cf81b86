"""What people have, damaged: each mutant is named by a number, and made again from it."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.store import hash_file
from tests.fuzz import seeds

LIES: Final = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD_VALUES: Final = (
    None, True, -1, 0, 1e308, -1e308, 10**30, 0.5, "", "x", "../../etc/passwd", "\0", "é" * 300, [], {}, [[[]]], ["a"],
    float("nan"), float("inf"), float("-inf"), "1" * 5000,
)  # fmt: skip
ODD_TEXTS: Final = (
    "",
    "NaN",
    "inf",
    "-1",
    "1e999",
    "[0.1, 0.2]",
    '"',
    "\0",
    ";",
    "\t",
    "\n",
    "٣",
    "None",
    "0,5",
    "x" * 9999,
)
ODD_NAMES: Final = (
    "[red]a[/red]", "[id]", "a\x1b[31mb", "a\nb", "a\rb", "\u202egpj", "a\u200bb", "  ", "-x", "a'b\"c", "😀", "%s{}",
    "é", "-" * 50, "#", "a;b", "~", "$HOME", "a b", ":smile:",
)  # fmt: skip


def mutate(number: int, seed: int, folder: Path) -> list[str]:
    """Write a mutant into an empty folder; return what is done with it: a verb and its words."""
    rng = random.Random(f"{seed}/{number}")
    kinds: tuple[tuple[int, Callable[[random.Random, Path], list[str]]], ...] = (
        (10, recording),
        (1, name),
        (3, table),
        (3, settings),
        (3, bundle),
    )
    turn = number % sum(share for share, _ in kinds)
    for share, kind in kinds:
        if turn < share:
            return kind(rng, folder)
        turn -= share
    raise AssertionError


def damage(rng: random.Random, content: bytes) -> bytes:
    """Flip, overwrite, cut, repeat, remove: one to three kinds of damage, most of it where headers are."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        size = len(data)
        if size < 16:
            break
        place = rng.choice(
            (rng.randrange(min(size, 256)), rng.randrange(size), size - rng.randrange(1, min(size, 2048)))
        )
        length = min(rng.choice((1, 4, 16, 500, 5000)), size - place)
        match rng.randrange(7):
            case 0:
                for _ in range(rng.choice((1, 8, 64))):
                    data[rng.randrange(size)] ^= 1 << rng.randrange(8)
            case 1 | 2:
                data[place : place + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(LIES))
            case 3:
                del data[place:]
            case 4:
                del data[place : place + length]
            case 5:
                data[place:place] = data[place : place + length] * rng.choice((1, 2, 20))
            case 6:
                data[place : place + length] = rng.choice((bytes(length), rng.randbytes(length)))
    return bytes(data)


def recording(rng: random.Random, folder: Path) -> list[str]:
    """Damage a recording, or join two of different kinds."""
    whole = seeds.media()
    name = rng.choice(list(whole))
    content = damage(rng, whole[name])
    if rng.random() < 0.15:
        other = whole[rng.choice(list(whole))]
        content = content[: rng.randrange(1, len(content) + 1)] + other[rng.randrange(len(other)) :]
    suffix = Path(name if rng.random() < 0.9 else rng.choice(list(whole))).suffix
    if rng.random() < 0.25:
        path = folder / f"01-01-01-01-01-01-01{rng.choice(('.wav', '.mp4', '.flac', '.mkv', '.mp3', '.avi'))}"
        path.write_bytes(content)
        return ["verify", "--deep", "--json", "--jobs", "1", str(folder)]
    (folder / f"clip{suffix}").write_bytes(content)
    return ["predict", "--json", str(folder / f"clip{suffix}")]


def name(rng: random.Random, folder: Path) -> list[str]:
    """Give a recording an odd name."""
    odd = "".join(rng.choices(ODD_NAMES, k=rng.choice((1, 2)))).replace("/", "")[:80]
    path: Any = folder / f"{odd}.wav"
    if rng.random() < 0.2:
        path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.wav"))
    path.write_bytes(seeds.media()["a.wav"])
    return ["predict", *rng.choice(([], ["--json"])), str(path if rng.random() < 0.5 else folder)]


def table(rng: random.Random, folder: Path) -> list[str]:
    """Damage a prediction table: its cells, lines, columns, types or bytes."""
    text = seeds.table()
    lines = [line.split(",") for line in text.splitlines()]
    kind = rng.randrange(7)  # of which one damages nothing but what stands between the cells
    if kind == 0:
        lines[rng.randrange(len(lines))][rng.randrange(13)] = rng.choice(ODD_TEXTS)
    elif kind == 1:
        line = lines[rng.randrange(len(lines))]
        line[rng.randrange(13) :] = rng.choices(line, k=rng.randrange(30))
    elif kind == 2:
        rng.shuffle(lines)
    elif kind == 3:
        column = rng.randrange(13)
        lines = [line[:column] + line[column + 1 :] for line in lines]
    separator = rng.choice((",", ",", ";", "\t", "|"))
    content = "\n".join(separator.join(line) for line in lines).encode(
        rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32"))
    )
    path = folder / "a.csv"
    if kind == 4:
        content = damage(rng, content)
    if kind == 5:
        frame = pd.read_csv(io.StringIO(text), dtype=object)
        column = rng.choice(list(frame.columns))
        frame[column] = [rng.choice(ODD_VALUES)] * len(frame)
        path = folder / "a.parquet"
        try:
            frame.to_parquet(path)
            content = path.read_bytes() if rng.random() < 0.7 else damage(rng, path.read_bytes())
        except Exception:  # what Arrow does not write is not read either
            content = b"PAR1"
    path.write_bytes(content)
    if rng.random() < 0.3:
        (folder / "b.csv").write_text(text)
        return ["fuse", str(path), str(folder / "b.csv"), "-o", str(folder / "out.parquet")]
    return ["evaluate", "--json", "--draws", "100", str(path)]


def odd(rng: random.Random, value: Any) -> Any:
    """Return a value with one of the values inside it replaced, removed or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: odd(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        if rng.random() < 0.2:
            return value * rng.choice((0, 2, 3))
        return [*value[:place], odd(rng, value[place]), *value[place + 1 :]]
    return rng.choice(ODD_VALUES)


def odd_json(rng: random.Random, text: str) -> str:
    """Return JSON with odd values, or damaged as text, or nested without end."""
    if rng.random() < 0.1:
        return rng.choice(("[" * 100_000, '{"a":' * 10_000, "1" * 10_000, "", "null", "[]", "\ufeff{}"))
    if rng.random() < 0.2:
        return damage(rng, text.encode()).decode("latin-1")
    content = json.loads(text)
    for _ in range(rng.choice((1, 1, 2))):
        content = odd(rng, content)
    return json.dumps(content)


def settings(rng: random.Random, folder: Path) -> list[str]:
    """Damage a recipe, an enrolment, the record of a run, or a file of settings."""
    kind = rng.randrange(4)
    if kind == 0:
        text = seeds.texts()["config.toml"]
        odd_value = rng.choice(
            ("nan", "-1", '"x"', "[]", "[[]]", "1" * 9999, "[" * 9999, "{}", "1979-05-27", '"\\u0000"')
        )
        text = rng.choice(
            (f"{text}\n[extra]\na = 1", text.replace("3", odd_value), text.replace('["svc"]', odd_value), odd_value)
        )
        text = text if rng.random() < 0.6 else damage(rng, text.encode()).decode("latin-1")
        (folder / "config.toml").write_text(text)
        return ["settings", str(folder / "config.toml")]
    if kind == 1:
        (folder / "her.json").write_text(odd_json(rng, (Path(os.environ["FUZZ_ENROLMENT"])).read_text()))
        (folder / "a.wav").write_bytes(seeds.media()["a.wav"])
        return ["predict", "--json", "--speaker", str(folder / "her.json"), str(folder / "a.wav")]
    run = folder / "run"
    (run / "models" / "fused").mkdir(parents=True)
    for model in ("audio-embedding", "video-zero-shot"):
        shutil.copytree(PRETRAINED_DIR / "models" / model, run / "models" / model)
    target = rng.choice(
        (
            "models/fused/recipe.json",
            "models/audio-embedding/encoder.json",
            "run.json",
            "models/video-zero-shot/network.json",
        )
    )
    shutil.copy(PRETRAINED_DIR / "models/fused/recipe.json", run / "models/fused/recipe.json")
    source = (run / target).read_text() if (run / target).exists() else '{"synthetic": false, "stages": {"a": 1}}'
    (run / target).write_text(odd_json(rng, source))
    film = target.endswith("network.json")
    (folder / "clip.mkv").write_bytes(seeds.media()["g.mkv" if film else "a.wav"])
    return ["predict", "--json", "--run", str(run), str(folder / "clip.mkv")]


def bundle(rng: random.Random, folder: Path) -> list[str]:
    """Damage a part of a model, whose checksum says that it is whole; or its card."""
    source = Path(rng.choice(os.environ["FUZZ_BUNDLES"].split(os.pathsep)))
    target = folder / "model"
    shutil.copytree(source, target)
    card_path = target / "bundle.json"
    card = json.loads(card_path.read_text())
    if rng.random() < 0.4:
        card_path.write_text(odd_json(rng, card_path.read_text()))
    else:
        part = target / rng.choice([part for part in card["files"] if not part.endswith(".md")])
        content = part.read_bytes()
        if zipfile.is_zipfile(part) and rng.random() < 0.8:
            content = damaged_member(rng, content)
        else:
            content = damage(rng, content)
        part.write_bytes(content)
        card["files"][part.name] = hash_file(part)
        card_path.write_text(json.dumps(card))
    return rng.choice((["load", str(target)], ["load", str(target)], ["info", "--json", str(target)]))


def damaged_member(rng: random.Random, content: bytes) -> bytes:
    """Return an archive with one of its members damaged, and packed so that its own checksum is right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        names = given.namelist()
        chosen = rng.choice(names)
        for member in names:
            data = given.read(member)
            if member == chosen:
                is_text = member.endswith(".json") and rng.random() < 0.7
                data = odd_json(rng, data.decode()).encode("utf-8", "replace") if is_text else damage(rng, data)
            archive.writestr(member, data)
        if rng.random() < 0.1:
            archive.writestr("extra.npy", bytes(2**24))
    return out.getvalue()
