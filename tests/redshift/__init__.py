"""A stand-in for Redshift: a real PostgreSQL that redshift_connector and dbt-redshift accept.

It is test equipment. The product knows nothing of it, and neither driver is changed or patched.
README.md tells how to use it and what it does not show.

    client -> server -> startup, then session -> backend -> postgres
                                   |- statements -> masking, rewrites, copy_command
                                   `- copy_load -> copy_files, copy_checks
"""
