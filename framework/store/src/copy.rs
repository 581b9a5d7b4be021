//! Copies into an arena.
#![expect(unsafe_code, reason = "stores that go past the caches are intrinsics")]

use raytree_types::limits::STORE_STREAMED_MIN as STREAMED_MIN;

/// Copies `from` to `to`, which are of one length; past the caches from [`STORE_STREAMED_MIN`](STREAMED_MIN) bytes on.
///
/// # Panics
/// As [`slice::copy_from_slice`], when they are not.
pub fn copy(to: &mut [u8], from: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    if to.len() >= STREAMED_MIN && to.len() == from.len() {
        streamed(to, from);
        return;
    }
    to.copy_from_slice(from);
}

/// With SSE2, which every such processor has; wider stores are no faster, since the memory is what is waited for.
#[cfg(target_arch = "x86_64")]
fn streamed(to: &mut [u8], from: &[u8]) {
    use core::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};

    const LINE: usize = 64;
    let head = to.as_ptr().align_offset(LINE).min(to.len());
    let (first, to) = to.split_at_mut(head);
    let (first_from, from) = from.split_at(head);
    first.copy_from_slice(first_from);
    let whole = to.len() / LINE * LINE;
    let (lines, rest) = to.split_at_mut(whole);
    let (lines_from, rest_from) = from.split_at(whole);
    for (line, line_from) in lines.chunks_exact_mut(LINE).zip(lines_from.chunks_exact(LINE)) {
        let line = line.as_mut_ptr().cast::<__m128i>();
        let line_from = line_from.as_ptr().cast::<__m128i>();
        for part in 0..LINE / size_of::<__m128i>() {
            // SAFETY: both are 64 bytes long, and the one that is written is aligned to as many.
            unsafe {
                let value = _mm_loadu_si128(line_from.add(part));
                _mm_stream_si128(line.add(part), value);
            }
        }
    }
    // SAFETY: every such processor has it. Such stores are not in order with others: whoever is told afterwards sees them.
    unsafe { _mm_sfence() };
    rest.copy_from_slice(rest_from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_arrives_wherever_it_begins_and_ends() {
        let from: Vec<u8> = (0..STREAMED_MIN + 500).map(|at| (at * 31 % 251) as u8).collect();
        for (start, len) in
            [(0, 10), (3, STREAMED_MIN), (0, STREAMED_MIN + 63), (17, STREAMED_MIN + 400)]
        {
            let mut to = vec![0xff; from.len() + 64];
            copy(&mut to[start..start + len], &from[7..7 + len]);
            assert_eq!(to[start..start + len], from[7..7 + len]);
            assert!(to[..start].iter().chain(&to[start + len..]).all(|byte| *byte == 0xff));
        }
    }

    #[test]
    #[should_panic(expected = "length")]
    fn what_is_not_of_one_length_is_not_copied() {
        copy(&mut [0; STREAMED_MIN], &[0; STREAMED_MIN + 1]);
    }
}
