"""The ASGI process: proxy, reporting and feedback API; composes capabilities, owns no rule."""
