"""All that decides, written once: generators that ask for exchanges, and the executors that run them."""
