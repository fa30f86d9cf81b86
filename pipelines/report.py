"""From the files of a run to one HTML file."""

from __future__ import annotations

import sys

from ravdess_mm.config import Settings
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder


def report(settings: Settings) -> None:
    """Write the HTML report of a run and print its path; needs the run's predictions."""
    from ravdess_mm.report.build import write_report

    run = RunFolder(settings)
    run.need(run.metrics_path, stage="fuse")
    run.update_record()
    sys.stdout.write(f"report: {write_report(run.root, settings.report_path)}\n")


if __name__ == "__main__":
    sys.exit(stage_main(report))
