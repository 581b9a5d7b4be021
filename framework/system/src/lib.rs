//! The components of a runtime, every one a supervised actor.
