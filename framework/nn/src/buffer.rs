//! Scratch memory that grows when first needed and is then reused.

/// Makes sure that `buffer` has at least `len` numbers, whatever they are.
pub(crate) fn room(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}
