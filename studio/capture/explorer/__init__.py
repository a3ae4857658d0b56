"""The explorer: every question about captured calls, answered from a columnar index beside the database."""
