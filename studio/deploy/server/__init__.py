"""The embedded model server: one process per revision, TGI's wire format on transformers' continuous batching.

Only this process imports torch. It is meant for evaluation and small models; larger ones belong on TGI or vLLM.
"""
