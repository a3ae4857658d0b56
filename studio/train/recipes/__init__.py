"""What runs inside a training process: the only modules of the studio that import torch, transformers, TRL and PEFT.

Nothing outside a job imports these at module level. Each recipe works on a folder and reports through plain callables,
so the same code runs under the local worker, a cluster, or by hand.
"""
