"""PostgreSQL: the schema, its migrations, partitions and the writer."""
