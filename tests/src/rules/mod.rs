//! The rules, one file each.

pub mod actors;
pub mod configs;
pub mod floors;
pub mod invariants;
pub mod limits;
pub mod manifest;
pub mod places;
pub mod size;
pub mod test_manners;
pub mod unsafe_code;
