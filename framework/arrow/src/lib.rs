//! Arrow record batches and arrays as values: sent without a copy, and read where they lie.
//!
//! A [`Batch`] is a [`RecordBatch`], a [`Column`] an [`ArrayRef`]. Both are arguments, results, objects and parts of other values like
//! everything that implements serde's traits; made of an arrow value and turned back into it for nothing.
//!
//! ```
//! use raytree_arrow::arrow_array::{Float64Array, RecordBatch, StringArray};
//! use raytree_arrow::{Batch, Column};
//! use raytree_types::codec::{self, Codec};
//! # use std::sync::Arc;
//!
//! let city = Arc::new(StringArray::from(vec!["Basel", "Chur", "Zug"])) as _;
//! let degrees = Arc::new(Float64Array::from(vec![Some(11.5), None, Some(9.0)])) as _;
//! let batch = Batch::from(RecordBatch::try_from_iter([("city", city), ("degrees", degrees)])?);
//! assert_eq!(batch.num_rows(), 3); // all that arrow's type can do
//!
//! // What happens to it on its way into another process.
//! let encoded = codec::encode(Codec::Compact, &batch)?;
//! assert_eq!(encoded.buffers.len(), 4); // offsets, text, numbers, and which of them are null
//! assert_eq!(codec::decode::<Batch>(Codec::Compact, &encoded)?, batch);
//!
//! // A column alone, and the rows from the second one on: only these are sent.
//! let column = Column::from(batch.column(1).slice(1, 2));
//! assert_eq!(codec::encode(Codec::Compact, &column)?.buffers[1].len(), 16);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is sent
//!
//! In the head stand the schema with all its metadata, and for each array its rows and the numbers of its buffers. Every buffer goes
//! beside it, as [`Bytes`](raytree_types::Bytes): between processes of a machine large ones go through the memory that these share.
//!
//! Of a slice only the slice is sent. Where its buffers can be cut that costs nothing; offsets, of lists, text and views, are written
//! anew if what is left out in front of them is larger than they are. A dictionary is sent whole: others may have the same keys.
//!
//! # What is read
//!
//! Numbers are read where they lie, without looking at them. That text is UTF-8, and that offsets, keys and views stay within what they
//! point into, is checked in one pass, so that nothing that arrives can make arrow's functions fail or read elsewhere. A buffer at an
//! address where its numbers cannot be, as one that came through a socket may be, is copied.
//!
//! Two things are not told apart from what was sent, as arrow does not: a bitmap that says that nothing is null is none, and a
//! dictionary does not know whether it is ordered unless its field says so.
//!
//! - **AV-1 (no-copy):** a buffer that is sent is the memory of its array, and the array that is read is a view of what arrived; but for
//!   offsets that are written anew, and addresses where numbers cannot be.
//! - **AV-2 (no-trust):** whatever a frame says, reading it gives an array that arrow's own checks find valid, or an error.
//! - **AV-3 (the-slice-alone):** of a slice no more goes than its rows, what lies from the first to the last thing that they point to, and
//!   before that at most as many bytes or elements as it has offsets; but whole dictionaries.

mod kinds;
mod node;
mod read;
mod value;
mod write;

pub use arrow_array::{self, ArrayRef, RecordBatch};
pub use arrow_schema;
pub use value::{Batch, Column};
