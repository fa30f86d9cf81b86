"""The HTML report: one self-contained file that says what was measured, on whom, how sure it is, and how to repeat it.

``gather`` reads the folder of a run, the other modules turn parts of it into words, tables and drawings, and
``build.write_report`` puts them into the templates.
"""
