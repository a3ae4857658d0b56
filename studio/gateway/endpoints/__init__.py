"""What the gateway answers for models: one description per endpoint, one handler for all."""
