"""The file tools (sort, group, join, distinct, top) against their peers, over CSV files."""
