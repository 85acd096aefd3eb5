"""Registrations as the application sees them: attempts, decisions, what is kept on disk."""
