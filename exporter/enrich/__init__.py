"""What an event gets that its sender did not say: places and networks of addresses."""
