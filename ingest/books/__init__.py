"""What the ledgers record, what each hop actually holds, and whether the two agree."""
