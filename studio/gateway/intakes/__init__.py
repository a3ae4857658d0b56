"""Where calls and feedback come in that did not go through the gateway: one file for each system that sends them."""
