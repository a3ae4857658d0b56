"""The Capture page: filters, charts, the table of calls, one call in a drawer, and what one does with them."""
