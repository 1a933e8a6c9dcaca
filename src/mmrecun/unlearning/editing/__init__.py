"""Methods that edit parameters in closed form, by curvature, factorisation or projection."""
