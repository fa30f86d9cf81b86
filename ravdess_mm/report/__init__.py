"""The HTML report of a run: one self-contained file.

`run_reader` reads the folder of a run, the other modules turn parts of it into words, tables and drawings, and `build`
writes the page.
"""
