"""The page in the browser, and the same answers for programs over HTTP."""
