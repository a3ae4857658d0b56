"""Where a model can be served: the port, its catalog, and one file per target."""
