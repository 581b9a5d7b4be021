//! The program of a driver on its way to a head that lacks it.

use raytree_process::cluster::Greeting;
use raytree_process::program::Program;
use raytree_types::limits;
use raytree_wire::{Plane, read_frame, write_frame};

use super::Driver;

impl Driver {
    /// Sends this program's bytes to the head. Blocks for as long as that takes.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn store(&self) -> Result<(), String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let program = Program::of_this_process().map_err(|error| text(&error))?;
        let manifest = program.manifest().map_err(|error| text(&error))?;
        let stream = self.connect(Plane::Bytes, self.address, &Greeting::Store { manifest })?;
        let (mut reads, mut writes) = stream.split();
        for chunk in program.chunks() {
            let chunk = chunk.map_err(|error| text(&error))?;
            self.moves();
            if write_frame(&mut writes, &chunk, limits::PROGRAM_CHUNK_BYTES).is_err() {
                // It says why.
                break;
            }
        }
        let answer = read_frame(&mut reads, limits::PROGRAM_CHUNK_BYTES);
        let answer = answer.map_err(|error| text(&error))?.unwrap_or_default();
        let answer: Result<(), String> = serde_json::from_slice(&answer)
            .map_err(|_| "the head hung up while it was sent the program".to_owned())?;
        answer
    }
}
