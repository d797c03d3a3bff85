"""The local search server: an Elasticsearch for trying things out and for tests."""
