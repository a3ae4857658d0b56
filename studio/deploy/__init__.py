"""Deploy: portable artifacts, serving targets, gates, releases and the router's table."""
