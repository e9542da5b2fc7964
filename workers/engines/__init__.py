"""Engines: where the tokens come from. Each satisfies `exchange.engine.Engine`."""
