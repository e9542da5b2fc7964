"""The bundled newspaper and its tiny model."""
