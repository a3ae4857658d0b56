"""Train: plan, rehearse and run; torch is imported only inside training processes."""
