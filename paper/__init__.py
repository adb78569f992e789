"""The paper: its simulations, and how figures, numbers and text are made of them."""
