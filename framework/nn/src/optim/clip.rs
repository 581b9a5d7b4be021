//! Clipping by the global norm.

/// The Euclidean norm of all gradients together, summed in double precision in a fixed order.
pub fn global_norm(grads: &[f32]) -> f32 {
    let mut lanes = [0.0_f64; 8];
    let (chunks, rest) = grads.as_chunks::<8>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, g)| *sum += f64::from(*g) * f64::from(*g));
    }
    let rest: f64 = rest.iter().map(|g| f64::from(*g) * f64::from(*g)).sum();
    (lanes.iter().sum::<f64>() + rest).sqrt() as f32
}

/// Scales `grads` by `max_norm / (norm + 1e-6)` when that is below one, and returns the norm before.
///
/// A norm that is not finite leaves the gradients as they are; the caller sees it in the result.
pub fn clip_global_norm(grads: &mut [f32], max_norm: f32) -> f32 {
    let norm = global_norm(grads);
    let scale = max_norm / (norm + 1e-6);
    if scale < 1.0 && norm.is_finite() {
        grads.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}
