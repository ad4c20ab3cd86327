"""Chatting in a terminal: what was said, the commands, three ways to show it, and saved files."""
