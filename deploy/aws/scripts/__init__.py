"""Scripts that run inside of barograph's container. Each needs only what the image has, and is sent as its text."""
