"""What runs on MLX itself; modules here may import mlx, and `engine` does so only when used."""
