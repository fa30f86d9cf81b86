from __future__ import annotations

import subprocess
import sys


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_import_says_nothing_and_gives_standard_error_back() -> None:
    done = run(
        "import os\n"
        "from ravdess_mm.bundles.keras_backend import keras, make_deterministic\n"
        "make_deterministic(1)\n"
        "keras.random.normal((2,))\n"
        "os.write(2, b'heard')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "heard")


def test_failed_import_shows_what_was_said() -> None:
    done = run(
        "import importlib, os\n"
        "def fail(name):\n"
        "    os.write(2, b'the reason')\n"
        "    raise ImportError(name)\n"
        "importlib.import_module = fail\n"
        "import ravdess_mm.bundles.keras_backend\n"
    )
    assert done.returncode == 1
    assert "the reason" in done.stderr
    assert "ImportError: keras" in done.stderr
