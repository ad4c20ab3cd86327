"""The blind arena: battles, votes and who meets whom."""
