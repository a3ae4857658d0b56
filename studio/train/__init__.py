"""Train: plan, preflight and run; torch is imported only inside training processes."""
