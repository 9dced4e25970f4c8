"""Those who take the money: one protocol, one module or folder for each of them."""
