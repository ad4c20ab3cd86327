"""One model over several processes: each holds a share of every weight, all compute every step."""
