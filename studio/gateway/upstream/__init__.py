"""A small HTTP/1.1 client for upstreams: pooled, streaming, with flow control; general ones cost several times more."""
