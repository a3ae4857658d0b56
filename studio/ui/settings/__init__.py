"""The tabs of the Settings page, one file each."""
