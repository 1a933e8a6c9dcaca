"""MMRecUn: subtract the gradient of forgotten pairs from every row by Gauss-Newton steps, then train for an epoch."""
