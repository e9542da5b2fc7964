"""Text in the ground floor: one way to fold Greek, used by every stage."""
