//! What can go wrong.

/// Why a state could not be written or read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes are not a safetensors file, or a damaged one.
    #[error("not a safetensors file of {bytes} bytes")]
    NotSafetensors {
        /// Length of what was read.
        bytes: usize,
        /// What the parser says.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// The header could not be written.
    #[error("the header of a state file could not be written")]
    Header {
        /// What the writer says.
        #[source]
        source: serde_json::Error,
    },
    /// The file lacks a tensor that the model or optimiser has.
    #[error("tensor {tensor} is missing")]
    MissingTensor {
        /// Its name in the file.
        tensor: String,
    },
    /// A tensor has another shape than the model or optimiser wants.
    #[error("tensor {tensor} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// Its name in the file.
        tensor: String,
        /// Shape wanted.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor is not of 32-bit floating-point numbers.
    #[error("tensor {tensor} has numbers of type {found}, expected F32")]
    WrongType {
        /// Its name in the file.
        tensor: String,
        /// Type in the file.
        found: String,
    },
    /// A tensor contains an infinity or not-a-number.
    #[error("tensor {tensor} has the value {value} at index {index}")]
    NotFinite {
        /// Its name in the file.
        tensor: String,
        /// Index of the first such number, row-major.
        index: usize,
        /// The number.
        value: f32,
    },
    /// Two tensors of the state have the same name.
    #[error("tensor {tensor} appears twice")]
    DuplicateTensor {
        /// The name.
        tensor: String,
    },
}
