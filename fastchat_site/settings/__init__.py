"""Settings: `base` holds everything, `dev`, `test` and `production` only what differs."""
