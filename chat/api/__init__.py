"""What the chat tells programs."""
