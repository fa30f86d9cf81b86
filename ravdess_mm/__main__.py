"""``python -m ravdess_mm`` is the command ``ravdess-mm``, also where scripts are not on the path."""

from __future__ import annotations

from ravdess_mm.cli.main import main

if __name__ == "__main__":
    main()
