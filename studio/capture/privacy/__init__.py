"""What must not be written down: keys always, personal data as the project says; before the first write."""
