"""Anything longer than a second: a queue in the database, a worker per host, a child process per attempt."""
