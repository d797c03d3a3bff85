"""The `Warehouse` on Amazon Redshift: each batch in one transaction, loaded by COPY with proof."""
