"""The lake: the numbered log of sealed batches, who owns which raw object, the Parquet files."""
