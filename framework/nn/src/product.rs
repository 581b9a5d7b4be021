//! The matrix product behind every layer: safe, single-threaded, without allocation once warm.
//!
//! One kernel serves all three products of a linear layer (`x·Wᵀ + b`, `dy·W`, `dyᵀ·x`): a tile of a few rows by one
//! panel of [`PANEL`] columns whose sums stay in vector registers. Each element of the result is the sum over the
//! depth **in order, in one accumulator**, whatever tile it falls into, so its bits depend on its own row and
//! column only. Inference inherits its row stability from that.
//!
//! The instruction set is chosen at run time (AVX-512, AVX2 with FMA, NEON, or plain scalar code).

use pulp::{Arch, Simd, WithSimd};

/// Columns per panel.
pub(crate) const PANEL: usize = 16;

/// Panels that a single row works on at once: one row alone would wait for each of its additions.
const WIDE: usize = 4;

/// The left factor: element `(row, depth)` stands at `row * row_stride + depth * depth_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Lhs<'a> {
    values: &'a [f32],
    rows: usize,
    row_stride: usize,
    depth_stride: usize,
}

impl<'a> Lhs<'a> {
    /// A row-major `[rows, depth]` matrix.
    pub(crate) fn rows(values: &'a [f32], rows: usize, depth: usize) -> Self {
        Self { values, rows, row_stride: depth, depth_stride: 1 }
    }

    /// The transpose of a row-major `[depth, rows]` matrix.
    pub(crate) fn columns(values: &'a [f32], rows: usize) -> Self {
        Self { values, rows, row_stride: 1, depth_stride: rows }
    }
}

/// A right factor of `depth` rows by `width` columns, laid out panel after panel with zeros at the right edge; the
/// first row of each panel is what its sums start from (a bias, or zeros).
#[derive(Debug, Default, Clone)]
pub(crate) struct Panels {
    values: Vec<f32>,
    depth: usize,
    width: usize,
}

impl Panels {
    fn shape(&mut self, depth: usize, width: usize) -> usize {
        let panel = (depth + 1) * PANEL;
        (self.depth, self.width) = (depth, width);
        self.values.resize(width.div_ceil(PANEL) * panel, 0.0);
        panel
    }

    /// Takes a row-major `[depth, width]` matrix; sums start at zero.
    pub(crate) fn pack(&mut self, matrix: &[f32], depth: usize, width: usize) {
        let panel = self.shape(depth, width);
        for (p, out) in self.values.chunks_exact_mut(panel).enumerate() {
            let at = p * PANEL;
            let columns = PANEL.min(width - at);
            let (rows, _) = out.as_chunks_mut::<PANEL>();
            let Some((start, rows)) = rows.split_first_mut() else { continue };
            *start = [0.0; PANEL];
            for (row, from) in rows.iter_mut().zip(matrix.chunks_exact(width)) {
                if columns == PANEL {
                    row.copy_from_slice(&from[at..at + PANEL]);
                } else {
                    *row = [0.0; PANEL];
                    row[..columns].copy_from_slice(&from[at..]);
                }
            }
        }
    }

    /// Takes the transpose of a row-major `[width, depth]` matrix; sums start at `bias`, or at zero.
    pub(crate) fn pack_transposed(
        &mut self,
        matrix: &[f32],
        bias: Option<&[f32]>,
        depth: usize,
        width: usize,
    ) {
        let panel = self.shape(depth, width);
        for (p, out) in self.values.chunks_exact_mut(panel).enumerate() {
            let at = p * PANEL;
            let columns = PANEL.min(width - at);
            out[..PANEL].fill(0.0);
            if let Some(bias) = bias {
                out[..columns].copy_from_slice(&bias[at..at + columns]);
            }
            let (rows, _) = out[PANEL..].as_chunks_mut::<PANEL>();
            for column in 0..PANEL {
                if column >= columns {
                    rows.iter_mut().for_each(|row| row[column] = 0.0);
                    continue;
                }
                let from = &matrix[(at + column) * depth..][..depth];
                for (row, value) in rows.iter_mut().zip(from) {
                    row[column] = *value;
                }
            }
        }
    }
}

/// `out = lhs·rhs` (plus the panels' starting row), or `out += lhs·rhs` when `add`; `out` is row-major.
pub(crate) fn product(lhs: Lhs<'_>, rhs: &Panels, add: bool, out: &mut [f32]) {
    debug_assert_eq!(
        out.len(),
        lhs.rows * rhs.width,
        "a product's result has rows * width numbers"
    );
    Arch::new().dispatch(Product { lhs, rhs, add, out });
}

struct Product<'a> {
    lhs: Lhs<'a>,
    rhs: &'a Panels,
    add: bool,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1>(simd),
            8 => self.run::<S, 2>(simd),
            4 => self.run::<S, 4>(simd),
            _ => self.run::<S, PANEL>(simd),
        }
    }
}

impl Product<'_> {
    /// `V` vectors make a panel.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Product { lhs, rhs, add, out } = self;
        let panel = (rhs.depth + 1) * PANEL;
        let mut tile = Tile { lhs, depth: rhs.depth, add, out, width: rhs.width };
        // A single row left over is done last, by a kernel that works on several panels at once.
        let (tiled, single) = match lhs.rows % 6 {
            1 if lhs.depth_stride == 1 => (lhs.rows - 1, true),
            _ => (lhs.rows, false),
        };
        for (p, values) in rhs.values.chunks_exact(panel).enumerate() {
            let (values, _) = values.as_chunks::<PANEL>();
            let column = p * PANEL;
            let mut row = 0;
            if V == 1 {
                while row + 12 <= tiled {
                    tile.at::<S, 12, V>(simd, row, column, values);
                    row += 12;
                }
            }
            while row + 6 <= tiled {
                tile.at::<S, 6, V>(simd, row, column, values);
                row += 6;
            }
            match tiled - row {
                1 => tile.at::<S, 1, V>(simd, row, column, values),
                2 => tile.at::<S, 2, V>(simd, row, column, values),
                3 => tile.at::<S, 3, V>(simd, row, column, values),
                4 => tile.at::<S, 4, V>(simd, row, column, values),
                5 => tile.at::<S, 5, V>(simd, row, column, values),
                _ => {}
            }
        }
        if single {
            let mut panels = rhs.values.chunks_exact(panel * WIDE);
            for (group, values) in panels.by_ref().enumerate() {
                tile.wide::<S, V>(simd, tiled, group * WIDE * PANEL, values);
            }
            let done = rhs.values.len() / (panel * WIDE) * WIDE;
            for (p, values) in panels.remainder().chunks_exact(panel).enumerate() {
                let (values, _) = values.as_chunks::<PANEL>();
                tile.at::<S, 1, V>(simd, tiled, (done + p) * PANEL, values);
            }
        }
    }
}

struct Tile<'a, 'o> {
    lhs: Lhs<'a>,
    depth: usize,
    add: bool,
    out: &'o mut [f32],
    width: usize,
}

impl Tile<'_, '_> {
    #[inline(always)]
    fn at<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        rhs: &[[f32; PANEL]],
    ) {
        let Some((start, rhs)) = rhs.split_first() else { return };
        let mut sums = [load::<S, V>(simd, start); R];
        let rhs = &rhs[..self.depth];
        if self.lhs.depth_stride == 1 {
            let rows: [&[f32]; R] = core::array::from_fn(|i| {
                &self.lhs.values[(row + i) * self.lhs.row_stride..][..self.depth]
            });
            for (d, line) in rhs.iter().enumerate() {
                let line = load::<S, V>(simd, line);
                for i in 0..R {
                    let scale = simd.splat_f32s(rows[i][d]);
                    for v in 0..V {
                        sums[i][v] = simd.mul_add_e_f32s(scale, line[v], sums[i][v]);
                    }
                }
            }
        } else {
            for (line, from) in rhs.iter().zip(self.lhs.values.chunks_exact(self.lhs.depth_stride))
            {
                let line = load::<S, V>(simd, line);
                let from = &from[row..row + R];
                for i in 0..R {
                    let scale = simd.splat_f32s(from[i]);
                    for v in 0..V {
                        sums[i][v] = simd.mul_add_e_f32s(scale, line[v], sums[i][v]);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            self.store::<S, V>(simd, row + i, column, sums);
        }
    }

    /// One row by [`WIDE`] panels, each element summed as [`at`](Self::at) would.
    #[inline(always)]
    fn wide<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        panels: &[f32],
    ) {
        let (lines, _) = panels.as_chunks::<PANEL>();
        let height = self.depth + 1;
        let panels: [&[[f32; PANEL]]; WIDE] =
            core::array::from_fn(|p| &lines[p * height..][..height]);
        let mut sums = panels.map(|panel| load::<S, V>(simd, &panel[0]));
        let from = &self.lhs.values[row * self.lhs.row_stride..][..self.depth];
        for (d, scale) in from.iter().enumerate() {
            let scale = simd.splat_f32s(*scale);
            for (panel, sums) in panels.iter().zip(&mut sums) {
                let line = load::<S, V>(simd, &panel[d + 1]);
                for (sum, line) in sums.iter_mut().zip(line) {
                    *sum = simd.mul_add_e_f32s(scale, line, *sum);
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            self.store::<S, V>(simd, row, column + p * PANEL, sums);
        }
    }

    #[inline(always)]
    fn store<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        sums: &[S::f32s; V],
    ) {
        let columns = PANEL.min(self.width - column);
        let at = row * self.width + column;
        let mut line = [0.0; PANEL];
        for (to, from) in S::as_mut_simd_f32s(&mut line).0.iter_mut().zip(sums) {
            *to = *from;
        }
        let out = &mut self.out[at..at + columns];
        match (self.add, out.as_mut_array::<PANEL>()) {
            (false, Some(out)) => *out = line,
            (false, None) => out.copy_from_slice(&line[..columns]),
            (true, Some(out)) => {
                for (to, sum) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                    *to = simd.add_f32s(*to, *sum);
                }
            }
            (true, None) => out.iter_mut().zip(&line).for_each(|(to, sum)| *to += sum),
        }
    }
}

#[inline(always)]
fn load<S: Simd, const V: usize>(simd: S, line: &[f32; PANEL]) -> [S::f32s; V] {
    let (vectors, _) = S::as_simd_f32s(line);
    let mut out = [simd.splat_f32s(0.0); V];
    out.copy_from_slice(&vectors[..V]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(len: usize, salt: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 + salt * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    proptest! {
        #[test]
        fn every_shape_and_layout_agrees_with_the_definition(
            rows in 1_usize..40, depth in 0_usize..40, width in 1_usize..150, add: bool,
        ) {
            let (a, b) = (numbers(rows * depth, 1), numbers(width * depth, 2));
            let (bias, start) = (numbers(width, 3), numbers(rows * width, 4));
            let sum = |r: usize, c: usize| -> f64 {
                (0..depth).map(|d| f64::from(a[r * depth + d]) * f64::from(b[c * depth + d])).sum()
            };
            let transposed = |m: &[f32], r: usize, c: usize| -> Vec<f32> {
                (0..r * c).map(|i| m[i % r * c + i / r]).collect()
            };
            let (a_t, b_t) = (transposed(&a, rows, depth), transposed(&b, width, depth));
            let mut panels = Panels::default();
            // Leftovers of a larger matrix must not shine through.
            panels.pack(&numbers(50 * 50, 5), 50, 50);
            let mut results = Vec::new();
            for lhs in [Lhs::rows(&a, rows, depth), Lhs::columns(&a_t, rows)] {
                panels.pack_transposed(&b, Some(&bias), depth, width);
                let mut out = start.clone();
                product(lhs, &panels, add, &mut out);
                for (i, out) in out.iter().enumerate() {
                    let base = f64::from(bias[i % width]) + if add { f64::from(start[i]) } else { 0.0 };
                    prop_assert!((f64::from(*out) - base - sum(i / width, i % width)).abs() < 1e-4);
                }
                panels.pack(&b_t, depth, width);
                let mut out = start.clone();
                product(lhs, &panels, add, &mut out);
                results.push(out);
            }
            prop_assert_eq!(&results[0], &results[1]);
            for (i, out) in results[0].iter().enumerate() {
                let base = if add { f64::from(start[i]) } else { 0.0 };
                prop_assert!((f64::from(*out) - base - sum(i / width, i % width)).abs() < 1e-4);
            }
        }
    }
}
