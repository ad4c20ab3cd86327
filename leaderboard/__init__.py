"""Ratings from votes: counters, Bradley-Terry fits, boards and snapshots."""
