"""What one field of a line means, whatever its format."""
