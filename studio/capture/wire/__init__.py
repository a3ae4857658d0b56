"""Wire formats: one file each, from what was asked and answered to messages, tools and one answer in chat form."""
