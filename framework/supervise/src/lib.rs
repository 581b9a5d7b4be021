//! The supervision kit: child specs, strategies, stable addresses, probes, tree walk.
