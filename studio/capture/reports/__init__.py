"""Calls as other systems report them, one file for each: their payload in, `Reported` out."""
