"""One visitor talking with one model: conversations, turns, moderation."""
