"""The gateway's HTTP/1.1 server: httptools parses; connections, deadlines and answers are a few small files here.

Why not a general server: it would cost more per call than all the rest of the gateway, and knows no deadline for slow
requests and no limit of headers (docs/decisions/0038).
"""
