"""What runs on MLX itself; every module here may import mlx, and only the engine is imported from outside."""
