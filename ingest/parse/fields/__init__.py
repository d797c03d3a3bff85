"""What one field of a line means, in any format."""
