//! Objects as a program meets them: reading, waiting for some, streams, travelling, freeing.

mod freeing;
mod hostile;
mod reading;
mod streams;
mod travelling;
mod waiting;
