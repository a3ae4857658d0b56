"""The rooms of the Deploy page: who answers, whether it is well, what waits, and the way back."""
