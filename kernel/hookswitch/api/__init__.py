"""The HTTP surface: REST, the event stream, metrics, health. Only here is FastAPI known."""
