"""Ratings from battles: Elo, Bradley-Terry, intervals, ranks and win rates, in plain numpy."""
