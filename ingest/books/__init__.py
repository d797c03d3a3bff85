"""What the ledgers record, what each hop really holds, and whether the two agree."""
