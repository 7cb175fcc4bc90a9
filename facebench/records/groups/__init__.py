"""Groups in records: what is kept of them, and how it is found."""
