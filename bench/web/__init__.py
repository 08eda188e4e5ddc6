"""`make bench-web`: the workbench under load, on a published run of a million customers."""
