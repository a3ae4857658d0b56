"""The Label page: sending examples to teammates, watching a task, and a labeler's own tasks."""
