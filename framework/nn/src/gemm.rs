//! The `gemm` crate behind a safe function. Only the measuring floor uses it: `gemm` allocates on each call, so the
//! layers have a kernel of their own.
#![expect(unsafe_code, reason = "the gemm crate takes raw pointers and strides")]

/// A matrix in a slice: element `(row, column)` at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix has rows * columns numbers");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// `out = a·b`, or `out += a·b` when `add`, on this thread; `out` is row-major.
pub(crate) fn gemm(a: Matrix<'_>, b: Matrix<'_>, add: bool, out: &mut [f32]) {
    assert_eq!(a.columns, b.rows, "the factors fit");
    assert_eq!(out.len(), a.rows * b.columns, "the result has its numbers");
    // SAFETY: a `Matrix` only comes from `new`, which checks that its strides stay inside its slice, and from
    // `transposed`, which exchanges rows with columns and their strides; the result's length is checked above and its
    // strides are those of a row-major matrix; `out` is borrowed mutably, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
