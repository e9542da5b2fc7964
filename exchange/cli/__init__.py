"""What the rooms' command lines share: options, flags made from settings, help pages, JSON."""
