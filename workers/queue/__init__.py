"""Jobs leased from Redis: taken, renewed, acknowledged, set apart when they kill, given back."""
