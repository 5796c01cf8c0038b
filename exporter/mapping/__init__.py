"""Records to events: which attribute fills which column, and the rules that administrators write."""
