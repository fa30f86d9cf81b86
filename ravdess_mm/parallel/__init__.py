"""Work spread over processes or a Dask cluster, and bars that show it."""
