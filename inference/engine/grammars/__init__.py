"""Grammars: from a JSON schema, an expression or a list of functions to masks over tokens."""
