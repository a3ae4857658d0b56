"""Label: questions to teammates, their answers back, agreement, resolutions."""
