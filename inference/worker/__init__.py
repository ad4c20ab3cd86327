"""The model worker: engines in threads, tasks that feed them, the Celery process around both."""
