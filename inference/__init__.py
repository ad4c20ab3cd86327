"""The ground floor: models, chat templates, engine, model worker, providers and the OpenAI API."""
